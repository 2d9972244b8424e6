//! Metrics of the process: read from `/proc` when they are asked for (where there is no `/proc` they are left out), and the
//! panics of its background tasks.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::kernel::tasks;

/// Clock ticks per second in `/proc`: a constant of Linux's interface, whatever the kernel's own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory, file descriptors, threads and processor time of this process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory", field(&status, "VmRSS:").map(|kib| kib * 1024)),
            ("process_threads", "Threads", field(&status, "Threads:")),
            ("process_open_fds", "Open files and sockets", open_files()),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let encoder =
                encoder.encode_descriptor("process_cpu_seconds", "Processor time", None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(encoder)?;
        }
        let (name, help) = ("doorbuster_task_panics", "Panics that background tasks recovered from");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (task, panics) in tasks::panics() {
            ConstCounter::new(panics).encode(family.encode_family(&[("task", task)])?)?;
        }
        Ok(())
    }
}

fn field(status: &str, name: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_files() -> Option<i64> {
    // Reading the folder opens one more.
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as i64)
}

/// Memory of this process, in bytes; `None` where there is no `/proc`.
pub fn memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmRSS:").and_then(|kib| u64::try_from(kib * 1024).ok())
}

/// Processor time of this process, in seconds; `None` where there is no `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold anything: fields are counted from behind it. utime and stime are 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}
