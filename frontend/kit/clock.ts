// The shop's clock on a device whose own clock may be hours wrong: an offset on the monotonic clock, with its uncertainty.

/** What was learnt from one exchange: the shop's time is `monotonic + offset`, give or take `error` ms, at the monotonic time `at`. */
export interface Sample {
  offset: number;
  error: number;
  at: number;
}

/** What tabs of one browser tell each other. They share the device's clock, not the monotonic one. */
export interface Shared {
  shop: number;
  wall: number;
  error: number;
}

/** How much two clocks may drift apart: 50 ms in 1000 s. */
const DRIFT = 50e-6;
/** Device and monotonic clock further apart than this since the last sample: it slept, or was set. */
const JUMP_MS = 200;
/** The server tells whole milliseconds. */
const RESOLUTION_MS = 1;

export interface Clock {
  /** The shop's time, in ms since 1970. The device's until the first sample. */
  now(): number;
  /** How far `now` may be off, in ms; infinite while it is not known. */
  error(): number;
  /** How far the device's clock is ahead of the shop's, in ms. */
  ahead(): number;
  /** Learns from an exchange: the server said `server` between the monotonic times `sent` and `received`. */
  learn(server: number, sent: number, received: number): boolean;
  /** Learns from another tab. */
  adopt(shared: Shared): boolean;
  share(): Shared | undefined;
  /** Forgets what it knows if the device slept or its clock was set. True if so. */
  check(): boolean;
  /** Forgets how exact it is, until the next sample. */
  doubt(): void;
  monotonic(): number;
  subscribe(listener: () => void): () => void;
}

export function createClock(
  monotonic: () => number = () => performance.now(),
  wall: () => number = () => Date.now(),
): Clock {
  let best: Sample | undefined;
  let sure = false;
  let apart = wall() - monotonic();
  const listeners = new Set<() => void>();

  const errorAt = (sample: Sample, at: number) => sample.error + DRIFT * Math.max(0, at - sample.at);
  const take = (sample: Sample): boolean => {
    const at = monotonic();
    if (best && sure && errorAt(best, at) <= errorAt(sample, at)) return false;
    best = sample;
    sure = true;
    apart = wall() - at;
    for (const listener of listeners) listener();
    return true;
  };

  const clock: Clock = {
    now: () => (best ? monotonic() + best.offset : wall()),
    error: () => (best && sure ? errorAt(best, monotonic()) : Infinity),
    ahead: () => (best ? wall() - clock.now() : 0),
    learn(server, sent, received) {
      if (!Number.isFinite(server) || received < sent) return false;
      const half = (received - sent) / 2;
      const middle = RESOLUTION_MS / 2;
      return take({ offset: server + middle - sent - half, error: half + middle, at: received });
    },
    adopt(shared) {
      const at = monotonic();
      const error = shared.error + RESOLUTION_MS;
      return take({ offset: shared.shop + (wall() - shared.wall) - at, error, at });
    },
    share: () => (best && sure ? { shop: clock.now(), wall: wall(), error: clock.error() } : undefined),
    check() {
      if (Math.abs(wall() - monotonic() - apart) <= JUMP_MS) return false;
      clock.doubt();
      return true;
    },
    doubt() {
      apart = wall() - monotonic();
      if (!sure) return;
      sure = false;
      for (const listener of listeners) listener();
    },
    monotonic,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return clock;
}
