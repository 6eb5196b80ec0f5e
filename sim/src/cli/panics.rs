//! Panics in simulated worlds are results, not noise: they are kept with their place, and told with their seed.

use std::{
    collections::BTreeMap,
    panic,
    sync::{Mutex, PoisonError},
    thread,
};

/// Where the last panics came from, by message.
static PLACES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// How many places are kept; a sweep stops after a few failures anyway.
const PLACES_MAX: usize = 256;

/// Notes where panics come from. If `is_quiet`, threads of a world (`seed 7`) and of a sweep (`seeds 0`) print nothing
/// more; a single run prints what the standard library does, with the stack if `RUST_BACKTRACE` asks for it.
pub(super) fn install(is_quiet: bool) {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or("panic").to_owned();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        places.insert(text, place);
        drop(places);
        if !is_quiet || !thread::current().name().is_some_and(|name| name.starts_with("seed")) {
            default(info);
        }
    }));
}

/// A panic's message with the place that it came from, if that is known.
pub(super) fn located(message: &str) -> String {
    let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places.get(message).map_or_else(|| message.to_owned(), |place| format!("{message} (at {place})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_seed_is_told_with_its_place() {
        install(true);
        let seed = thread::Builder::new().name("seed 9".into()).spawn(|| panic!("the log has a gap"));
        assert!(seed.expect("a thread").join().is_err());
        let told = located("the log has a gap");
        assert!(told.contains("panics.rs"), "{told}");
        assert_eq!(located("unheard of"), "unheard of");
    }
}
