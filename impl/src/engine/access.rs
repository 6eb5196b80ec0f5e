//! Access keys, as every site knows them: objects of the cluster's own bucket, so that they replicate, merge and are
//! repaired as everything else.
//!
//! A key's id is drawn at random and written once; so whoever revokes it names the only version there will ever be, and a
//! revocation wins over everything. Secrets come here sealed: the engine never sees one.

use super::{After, DeleteRequest, Engine, Error, GetRequest, ListRequest, PutRequest, VersionRef};
use crate::{causality::Stamp, env::Env, object::BucketId};
use std::collections::BTreeMap;

const ACCOUNT: &str = "account";
const SECRET: &str = "secret";

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: String,
    /// Whose requests it signs.
    pub account: String,
    /// Its secret half, sealed.
    pub sealed_secret: String,
}

/// Not even a sealed secret is printed.
impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.id, self.account)
    }
}

impl<E: Env> Engine<E> {
    /// Adds a key, whose id nobody ever used.
    pub async fn add_access_key(&self, key: AccessKey) -> Result<(), Error> {
        let headers =
            BTreeMap::from([(ACCOUNT.to_owned(), key.account), (SECRET.to_owned(), key.sealed_secret)]);
        let body = self.write_body().finish().await?;
        let condition = Some(super::Condition::Absent);
        let bucket = BucketId::system();
        self.put(PutRequest { bucket, key: key.id, body, headers, context: None, condition }).await?;
        Ok(())
    }

    /// Ends a key for good, at every site that learns of it.
    pub async fn revoke_access_key(&self, id: &str) -> Result<(), Error> {
        let bucket = BucketId::system();
        let of = GetRequest { bucket: bucket.clone(), key: id.into(), version: None, context: None };
        let version = Some(VersionRef::Dot(self.get(of).await?.version.dot));
        let (key, context, condition, bypass) = (id.to_owned(), None, None, false);
        self.delete(DeleteRequest { bucket, key, version, context, condition, bypass }).await?;
        Ok(())
    }

    /// All keys that were not revoked, with the writes that added them.
    pub async fn access_keys(&self) -> Result<Vec<(AccessKey, Stamp)>, Error> {
        const PAGE: usize = 1000;
        let (mut found, mut after) = (Vec::new(), Some(After::Start));
        while let Some(from) = after.take() {
            let request =
                ListRequest { after: from, all: false, ..ListRequest::all_of(BucketId::system(), PAGE) };
            let page = self.list(request).await?;
            after.clone_from(&page.next);
            found.extend(page.versions().filter_map(|listed| {
                let mut headers = listed.content?.headers;
                let (account, sealed_secret) = (headers.remove(ACCOUNT)?, headers.remove(SECRET)?);
                Some((AccessKey { id: listed.key, account, sealed_secret }, listed.version))
            }));
        }
        Ok(found)
    }
}
