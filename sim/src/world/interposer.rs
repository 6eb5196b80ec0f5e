//! The turmoil world's interposer of clocks and randomness: the one file with `unsafe` in it.
//!
//! It stands in front of libc's `getrandom` and `clock_gettime`, for threads that asked for it only: there, hash maps,
//! time-outs of the runtime and whatever else asks the host get answers that follow from the seed and from virtual time.
//! The madsim world has madsim's own; a build never has both.
#![expect(unsafe_code, reason = "C functions are defined and called here")]

use std::{cell::Cell, time::Duration};

thread_local! {
    static RANDOM: Cell<Option<u64>> = const { Cell::new(None) };
    static CLOCK: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// From now on this thread's randomness follows from `seed`, and its clocks stand at `epoch`.
pub fn enable(seed: u64, epoch: Duration) {
    RANDOM.set(Some(seed));
    CLOCK.set(Some(epoch));
}

/// Sets this thread's clocks.
pub fn set_clock(since_epoch: Duration) {
    CLOCK.set(Some(since_epoch));
}

/// Gives this thread the host's clocks and randomness back.
pub fn disable() {
    RANDOM.set(None);
    CLOCK.set(None);
}

/// One step of splitmix64 (Steele et al., OOPSLA 2014): what a seed needs to become many numbers.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// libc's `getrandom`, for every caller in the process.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, flags: u32) -> isize {
    if let Ok(Some(mut state)) = RANDOM.try_with(Cell::get) {
        // SAFETY: the caller of getrandom(2) passes a buffer of `len` writable bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, len) };
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&splitmix(&mut state).to_le_bytes()[..chunk.len()]);
        }
        RANDOM.set(Some(state));
        return len.cast_signed();
    }
    // SAFETY: the arguments are passed on as they came.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) as isize }
}

/// libc's `clock_gettime`, for every caller in the process.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    if let Ok(Some(now)) = CLOCK.try_with(Cell::get) {
        // SAFETY: the caller of clock_gettime(2) passes a writable timespec.
        unsafe {
            *time = libc::timespec {
                tv_sec: now.as_secs().cast_signed(),
                tv_nsec: i64::from(now.subsec_nanos()),
            };
        }
        return 0;
    }
    // SAFETY: the arguments are passed on as they came.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int }
}

#[cfg(test)]
mod tests {
    use std::{collections::hash_map::RandomState, hash::BuildHasher, time::SystemTime};

    #[test]
    fn a_thread_that_asks_gets_clocks_and_randomness_of_its_own() {
        let read = |seed: u64| {
            std::thread::spawn(move || {
                super::enable(seed, std::time::Duration::from_secs(1000));
                let read = (RandomState::new().hash_one(1), SystemTime::now());
                super::disable();
                read
            })
            .join()
            .expect("no panic")
        };
        assert_eq!(read(1), read(1));
        assert_ne!(read(1).0, read(2).0);
        let here = SystemTime::now();
        assert_ne!(read(1).1, here, "other threads keep the host's clock");
    }
}
