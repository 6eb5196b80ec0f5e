//! Access keys: made and revoked at any site, good and void at all of them.

use super::{Site, access::Problem, status::failed};
use crate::engine::{AccessKey, Error};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A key to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose requests it signs: an account that is new comes into being with it.
    pub account: String,
}

/// A key with its secret, which is told this once.
#[derive(Clone, Serialize, Deserialize)]
pub struct MadeKey {
    /// Its public half.
    pub access_key: String,
    /// Its secret half.
    pub secret_key: String,
    /// Whose requests it signs.
    pub account: String,
}

/// A key as it is listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its public half.
    pub access_key: String,
    /// Whose requests it signs.
    pub account: String,
    /// When it was made, in milliseconds since the Unix epoch; none of a key from this site's `keys_file`.
    pub made_ms: Option<u64>,
}

/// `POST /api/v1/keys`.
pub async fn make(
    State(site): State<Arc<Site>>,
    Json(NewKey { account }): Json<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if account.is_empty() || account.len() > 64 || !account.chars().all(plain) {
        let detail = "use 1 to 64 letters, digits, '-', '_', '.' and '@'".to_owned();
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("an account cannot be named {account:?}"),
            detail,
        ));
    }
    let (id, secret) = (format!("AB{}", random_hex(9).to_uppercase()), random_hex(20));
    let sealed_secret = site.vault.seal(&id, &secret);
    let key = AccessKey { id: id.clone(), account: account.clone(), sealed_secret };
    site.node.engine().add_access_key(key).await.map_err(|error| failed(&error))?;
    site.keys_changed.notify_one();
    Ok((StatusCode::CREATED, Json(MadeKey { access_key: id, secret_key: secret, account })))
}

/// `GET /api/v1/keys`.
pub async fn list(State(site): State<Arc<Site>>) -> Result<Json<Vec<Key>>, Problem> {
    let found = site.node.engine().access_keys().await.map_err(|error| failed(&error))?;
    let made = found.into_iter().map(|(key, stamp)| Key {
        access_key: key.id,
        account: key.account,
        made_ms: Some(stamp.hlc.ms()),
    });
    let of_file = site.first_keys.iter().map(|(id, account)| Key {
        access_key: id.clone(),
        account: account.clone(),
        made_ms: None,
    });
    Ok(Json(of_file.chain(made).collect()))
}

/// `DELETE /api/v1/keys/{access_key}`.
pub async fn revoke(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if site.first_keys.iter().any(|(first, _)| *first == id) {
        let detail = "remove it from [s3] keys_file at every site and start them again".to_owned();
        return Err(Problem::new(StatusCode::CONFLICT, format!("{id} is from this site's file"), detail));
    }
    match site.node.engine().revoke_access_key(&id).await {
        Ok(()) => {
            site.keys_changed.notify_one();
            Ok(StatusCode::NO_CONTENT)
        }
        Err(Error::NoSuchKey(_) | Error::NoSuchBucket(_)) => {
            let detail = "`anabranch keys list` lists those there are".to_owned();
            Err(Problem::new(
                StatusCode::NOT_FOUND,
                format!("there is no access key {id} at this site"),
                detail,
            ))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// So many random bytes as hex.
fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .expect("the operating system gives randomness");
    random
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}
