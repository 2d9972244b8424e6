// What the browser tests are started with.

/** `[--stress] [--times N] FLOW…`; anything else ends the program. */
export function optionsOf(given) {
  const options = { wanted: [], times: 1, stress: false };
  const rest = given.filter((one) => one !== '--');
  while (rest.length > 0) {
    const one = rest.shift();
    if (one === '--stress') options.stress = true;
    else if (one === '--times') options.times = Number(rest.shift());
    else options.wanted.push(one);
  }
  const odd = options.wanted.find((name) => !/^[A-Z]\d+$/.test(name));
  if (odd || !Number.isInteger(options.times) || options.times < 1) {
    console.error(`${odd ?? '--times'}: expected [--stress] [--times N] [FLOW…], with flows such as S1`);
    process.exit(2);
  }
  return options;
}
