//! Files of secrets: the first access keys, the cluster's key, the admin token.

use serde::Deserialize;
use std::{fmt, fs, io, path::Path};

/// The access keys that a site starts with. Keys made later are replicated; these are read at each start.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// Each of them.
    #[serde(default)]
    pub key: Vec<Key>,
}

/// One access key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its public half.
    #[serde(rename = "access_key")]
    pub id: String,
    /// Its secret half.
    #[serde(rename = "secret_key")]
    pub secret: String,
    /// Whose requests it signs: the owner of the buckets made with it.
    pub account: String,
}

/// Secrets are never printed.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.id, self.account)
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

fn invalid(path: &Path, why: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}

impl KeyFile {
    /// Reads a file. What is wrong is said without the text around it, which holds secrets.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| invalid(path, error))?;
        let file: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            invalid(path, format!("line {line}: {}", error.message()))
        })?;
        for key in &file.key {
            if key.id.len() < 3 || key.id.len() > 128 || key.id.contains(['/', ' ']) {
                let why = format!("access key {:?}: use 3 to 128 characters without '/' and blanks", key.id);
                return Err(invalid(path, why));
            }
            if key.secret.len() < 8 {
                let why = format!("the secret of {} is shorter than 8 characters", key.id);
                return Err(invalid(path, why));
            }
        }
        Ok(file)
    }
}

/// The one line of a secret's file.
pub fn read_secret(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path).map_err(|error| invalid(path, error))?;
    let secret = text.trim();
    if secret.len() < 16 {
        return Err(invalid(
            path,
            "a secret of at least 16 characters is expected; `anabranch init` makes one",
        ));
    }
    Ok(secret.to_owned())
}
