// Before the first drawing: the chosen colours and language, so that nothing flashes.
try {
  const theme = localStorage.getItem('db.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the device decides.
}
