//! The program's output to standard error and standard output.
//!
//! Nothing that is said on standard error may stop the program: its disk may be full, its reader gone, or the reader may be there and
//! read nothing. So lines wait in memory, up to a bound, for a thread of their own; what can't be written is counted.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait to be written: some ten thousand lines.
const WAITING_MAX: usize = 4 << 20;
/// How long a descriptor that does not block is left alone when it takes nothing.
const RETRY: Duration = Duration::from_millis(10);
/// How long the end of the program waits for a reader.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// The lines of this process: it has one standard error.
static STANDARD_ERROR: LazyLock<Lines> = LazyLock::new(|| {
    // A descriptor of our own: the library's handle is locked while it writes, which may be for ever.
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Lines::to(File::from(descriptor)),
        Err(_) => Lines::to(io::sink()),
    }
});

/// Says something on standard error. Never fails and never blocks.
pub fn say(text: &str) {
    let mut line = text.as_bytes().to_vec();
    line.push(b'\n');
    STANDARD_ERROR.push(line);
}

/// The same without the end of the line.
pub fn prompt(text: &str) {
    STANDARD_ERROR.push(text.as_bytes().to_vec());
}

/// Writes to standard output. A reader that has left (`| head`) is no failure.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Whether standard error is a terminal, and so a person's.
pub(super) fn is_read_by_a_person() -> bool {
    io::stderr().is_terminal()
}

/// Lines of standard error that were lost, of all the process.
pub(super) fn lost() -> Counter {
    STANDARD_ERROR.lost.clone()
}

/// Waits at the end of the program, also when it panics, until what was said is written; not for long.
#[must_use]
pub struct FlushOnDrop;

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        STANDARD_ERROR.flush(FLUSH_WITHIN);
    }
}

/// Where log lines go.
pub(super) struct LogLines;

impl MakeWriter<'_> for LogLines {
    type Writer = LogLine;

    fn make_writer(&self) -> LogLine {
        LogLine(Vec::new())
    }
}

/// One line, sent when it is whole.
pub(super) struct LogLine(Vec<u8>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            STANDARD_ERROR.push(std::mem::take(&mut self.0));
        }
    }
}

enum Order {
    Write(Vec<u8>),
    Flush(Sender<()>),
}

/// A queue in front of something that may fail or block.
struct Lines {
    queue: Sender<Order>,
    /// Bytes in the queue and in the writer's hand.
    waiting: std::sync::Arc<AtomicUsize>,
    lost: Counter,
}

impl Lines {
    fn to(out: impl Write + Send + 'static) -> Self {
        let (queue, orders) = channel();
        let lines = Self { queue, waiting: std::sync::Arc::default(), lost: Counter::default() };
        let (waiting, lost) = (lines.waiting.clone(), lines.lost.clone());
        // Without the thread each line is counted as lost, because the queue has no other end.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || work(&orders, out, &waiting, &lost));
        lines
    }

    fn push(&self, line: Vec<u8>) {
        let size = line.len();
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        if before + size > WAITING_MAX || self.queue.send(Order::Write(line)).is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            self.lost.inc();
        }
    }

    fn flush(&self, within: Duration) {
        let (written, is_written) = channel();
        if self.queue.send(Order::Flush(written)).is_ok() {
            let _ = is_written.recv_timeout(within);
        }
    }
}

fn work(orders: &Receiver<Order>, mut out: impl Write, waiting: &AtomicUsize, lost: &Counter) {
    let mut torn = false;
    let mut told = lost.get();
    for order in orders {
        match order {
            Order::Flush(written) => drop(written.send(())),
            Order::Write(line) => {
                let done = write(&mut out, &line, &mut torn);
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
                match done {
                    Err(_) => {
                        lost.inc();
                    }
                    Ok(()) if lost.get() > told => {
                        tracing::warn!(lines = lost.get() - told, "log lines could not be written and were lost");
                        told = lost.get();
                    }
                    Ok(()) => {}
                }
            }
        }
    }
}

/// Writes a line, on a line of its own if the last one was torn.
fn write(out: &mut impl Write, line: &[u8], torn: &mut bool) -> io::Result<()> {
    if *torn {
        write_all(out, b"\n", &mut false)?;
        *torn = false;
    }
    write_all(out, line, torn)
}

fn write_all(out: &mut impl Write, mut rest: &[u8], begun: &mut bool) -> io::Result<()> {
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                rest = &rest[written..];
                *begun = !rest.is_empty();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::{Condvar, Mutex};

    use super::*;

    /// A reader that takes a few bytes at a time and can be made to fail.
    #[derive(Clone, Default)]
    struct Reader(Arc<(Mutex<Taken>, Condvar)>);

    #[derive(Default)]
    struct Taken {
        text: Vec<u8>,
        /// Bytes until the disk is full.
        room: Option<usize>,
        hangs: bool,
    }

    impl Reader {
        fn tell(&self, change: impl FnOnce(&mut Taken)) {
            change(&mut self.0.0.lock());
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().text.clone()).unwrap()
        }
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (taken, changed) = &*self.0;
            let mut taken = taken.lock();
            changed.wait_while(&mut taken, |taken| taken.hangs);
            let size = bytes.len().min(3).min(taken.room.unwrap_or(usize::MAX));
            if size == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            taken.room = taken.room.map(|room| room - size);
            taken.text.extend_from_slice(&bytes[..size]);
            Ok(size)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_full_disk_loses_lines_and_is_left_behind() {
        let disk = Reader::default();
        let lines = Lines::to(disk.clone());
        lines.push(b"first line\n".to_vec());
        lines.flush(LONG);
        disk.tell(|taken| taken.room = Some(4));
        lines.push(b"torn\n".to_vec());
        lines.push(b"lost\n".to_vec());
        lines.flush(LONG);
        assert_eq!((disk.text().as_str(), lines.lost.get()), ("first line\ntorn", 2));
        disk.tell(|taken| taken.room = None);
        lines.push(b"last\n".to_vec());
        lines.flush(LONG);
        assert_eq!((disk.text().as_str(), lines.lost.get()), ("first line\ntorn\nlast\n", 2));
    }

    #[test]
    fn a_reader_that_hangs_costs_bounded_memory_and_no_time() {
        let reader = Reader::default();
        let lines = Lines::to(reader.clone());
        reader.tell(|taken| taken.hangs = true);
        let line = vec![b'x'; WAITING_MAX / 4 - 1];
        (0..6).for_each(|_| lines.push(line.clone()));
        assert_eq!(lines.lost.get(), 2, "four fit");
        lines.flush(Duration::from_millis(1));
        reader.tell(|taken| taken.hangs = false);
        lines.flush(LONG);
        assert_eq!(reader.text().len(), 4 * line.len());
        assert_eq!(lines.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_descriptor_that_does_not_block_is_waited_for() {
        let (mut one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let lines = Lines::to(other);
        let line = vec![b'x'; 1 << 20];
        lines.push(line.clone());
        let mut read = vec![0; line.len()];
        io::Read::read_exact(&mut one, &mut read).unwrap();
        lines.flush(LONG);
        assert_eq!((read == line, lines.lost.get()), (true, 0));
    }
}
