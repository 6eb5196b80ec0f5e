//! The face that S3 clients speak to.
//!
//! `s3s` parses, checks signatures and writes XML; the engine knows nothing of HTTP. What lies between is here, and only
//! types of our own cross to the engine: [`names`] turns buckets, keys and version ids round, [`metadata`] headers,
//! [`body`] streams with their checksums, [`condition`] the `If-…` headers, [`error`] and [`refusal`] what is refused. Then a file for each
//! family of operations: [`bucket`], [`read`], [`write`], [`delete`], [`list`], [`multipart`] with [`uploads`] and [`complete`], [`tagging`],
//! [`locking`] by the rules in [`lock`], [`expiry`] by those in [`lifecycle`], which [`sweep`] carries out, [`replicas`]; [`handler`] is
//! the table of them, [`access`] says who asks, with [`sigv2`], [`authorize`] whether each [`action`] may be done, by the lists of [`acl`] as [`ownership`] and
//! [`grants`] keep them, the [`policy`] that [`policies`] keep, asked in a [`context`], and what a bucket [`block`]s; [`service`] puts it together, with [`front`] and [`cross_origin`] with the rules in [`cors`] before and after `s3s` and [`ranges`] around it, [`idle`] around what
//! clients send; [`forward`] hands on what another site keeps, and a [`form`] is read and written as the PUT that it stands for.

mod access;
mod acl;
mod action;
mod authorize;
mod block;
mod body;
mod bucket;
mod bucket_tagging;
mod complete;
mod condition;
mod context;
mod cors;
mod cross_origin;
mod date;
mod delete;
mod error;
mod expiry;
mod form;
mod forward;
mod front;
mod grants;
mod handler;
mod idle;
mod lifecycle;
mod list;
mod lock;
mod locking;
mod metadata;
mod multipart;
mod names;
mod ownership;
mod policies;
mod policy;
mod ranges;
mod read;
mod refusal;
mod replicas;
mod service;
mod sigv2;
mod sweep;
mod tagging;
mod uploads;
mod write;

pub use access::{Account, Keys};
pub use forward::Reach;
pub use names::{parse_version_id, version_id};
pub use policies::check_policy;
pub use service::{Answered, Observe, Service, Settings, serve_connection, service};
pub use sweep::{Swept, keep_sweeping, sweep};

use crate::{engine::Engine, env::Env};
use s3s::{S3Request, S3Result};
use std::sync::Arc;

/// What every operation needs.
pub(crate) struct Face<E: Env> {
    engine: Engine<E>,
    keys: Arc<Keys>,
    region: String,
    allow_sigv2: bool,
    policies: Arc<policies::Policies>,
}

impl<E: Env> Clone for Face<E> {
    fn clone(&self) -> Self {
        let Self { engine, keys, region, allow_sigv2, policies } = self;
        Self {
            engine: engine.clone(),
            keys: keys.clone(),
            region: region.clone(),
            allow_sigv2: *allow_sigv2,
            policies: policies.clone(),
        }
    }
}

impl<E: Env> Face<E> {
    /// The account that a request is made for, where nobody cannot ask.
    fn account<T>(&self, request: &S3Request<T>) -> S3Result<Account> {
        self.who(request)?.ok_or_else(authorize::denied)
    }
}
