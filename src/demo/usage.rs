//! The resource usage of a process, from its clock and `/proc`.

use std::collections::HashSet;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// CPU time of a process, all its threads, living and gone, in nanoseconds and not in the ticks of `/proc`, which are a tenth of a short
/// measurement. `None` when it is gone.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    Some(clock.now().ok()?.into())
}

/// Memory of a process in RAM now, and at most so far, in bytes.
pub fn memory(pid: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// Connections over TCP that a process has to this port of whatever host.
pub fn connections(pid: u32, port: u16) -> Option<usize> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let sockets: HashSet<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let port = format!(":{port:04X}");
    let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")));
    let lines: Vec<String> =
        tables.into_iter().flatten().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let is_ours = |line: &&String| {
        // Number, own address, the other's, state (01: established), queues, timer, retransmits, user, timeout, inode.
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        matches!(fields[..], [_, _, other, "01", _, _, _, _, _, inode, ..]
            if other.ends_with(&port) && sockets.contains(inode))
    };
    Some(lines.iter().filter(is_ours).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_at_the_end_that_made_them() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, pid) = (listener.local_addr().unwrap(), std::process::id());
        assert_eq!(connections(pid, address.port()), Some(0));
        let mut open: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        assert_eq!(connections(pid, address.port()), Some(3));
        open.pop();
        assert_eq!(connections(pid, address.port()), Some(2));
        assert_eq!(connections(u32::MAX - 1, address.port()), None);
    }

    #[test]
    fn this_process_uses_something() {
        let pid = std::process::id();
        let (now, peak) = memory(pid).unwrap();
        assert!(now > 100_000 && peak >= now);
        let before = cpu_time(pid).unwrap();
        let mut sum = 0_u64;
        while cpu_time(pid).unwrap() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert_eq!(cpu_time(u32::MAX - 1), None);
    }
}
