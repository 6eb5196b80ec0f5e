//! A client's policy document: whatever it is, it is taken or refused with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(reason) = anabranch::s3::check_policy(text, "photos")
    {
        assert!(!reason.is_empty());
    }
});
