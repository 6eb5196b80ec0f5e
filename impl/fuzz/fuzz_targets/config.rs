//! What an operator writes: read, or refused with a place in it.
#![no_main]

use anabranch::config::Config;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    if let Ok(config) = Config::parse(text, Path::new("/etc/anabranch/anabranch.toml")) {
        let _ = (config.site_id(), config.peers(), config.proven_names());
    }
});
