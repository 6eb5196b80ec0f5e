//! Who owns what, and whom its list lets in.
//!
//! A bucket belongs to the account that created it. An object belongs to who wrote it, unless the bucket's ownership
//! controls say otherwise; a bucket without controls is of `ObjectWriter`, as AWS had it before 2023 and as Ceph's tests
//! want it. Both are kept with the version, under headers of ours, where they differ from the usual: an object of the
//! bucket's owner, granted to nobody else. So they are the same at every site, from the version's first moment on.
//!
//! Invariant: what does not read grants nothing: a list to nobody but its owner, controls as `BucketOwnerEnforced`.

use super::{
    Account, Face,
    acl::{Accounts, Acl, Canned, GRANT_HEADERS, Grant, Ownership, parse_header},
    action::Action,
    block, error,
    handler::absent,
    metadata::Headers,
    refusal::Refusal,
};
use crate::{
    engine::{ACL, Bucket, Object},
    env::Env,
};
use hyper::{HeaderMap, StatusCode};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

/// The document of a bucket's list.
pub(super) const ACL_DOCUMENT: &str = "acl";
/// The document of a bucket's ownership controls.
pub(super) const DOCUMENT: &str = "ownership";
/// Who owns a version, if it is not the bucket's owner; empty for nobody known.
const OWNER: &str = "x-anabranch-owner";
/// What answers call an owner that is nobody known.
const NOBODY: &str = "anonymous";

/// A list that grants everything to its owner.
pub(super) fn private(owner: &str) -> Acl {
    Canned::Private.expand(owner, owner)
}

/// A list as it is stored.
pub(super) fn stored(acl: &Acl) -> String {
    serde_json::to_string(acl).expect("a list is plain data")
}

/// Who owns a bucket's objects.
pub(super) fn controls(bucket: &Bucket) -> Option<Ownership> {
    let text = bucket.documents.get(DOCUMENT)?;
    Some(Ownership::parse(text).unwrap_or(Ownership::Enforced))
}

fn ownership(bucket: &Bucket) -> Ownership {
    controls(bucket).unwrap_or(Ownership::Writer)
}

/// A bucket's list.
pub(super) fn of_bucket(bucket: &Bucket) -> Acl {
    let owner = bucket.id.owner();
    match bucket.documents.get(ACL_DOCUMENT) {
        Some(text) if ownership(bucket).has_acls() => {
            let nobody = Acl { owner: owner.to_owned(), grants: Vec::new() };
            serde_json::from_str::<Acl>(text).map_or(nobody, |acl| Acl { owner: owner.to_owned(), ..acl })
        }
        _ => private(owner),
    }
}

/// Who owns a version with these headers.
pub(super) fn owner_of(headers: &Headers, bucket: &Bucket) -> String {
    let written = headers.get(OWNER).filter(|_| ownership(bucket).has_acls());
    written.map_or_else(|| bucket.id.owner().to_owned(), Clone::clone)
}

/// An object's list.
pub(super) fn of_object<E: Env>(object: &Object<E>, bucket: &Bucket) -> Acl {
    let owner = owner_of(&object.content.headers, bucket);
    match &object.acl {
        Some(text) if ownership(bucket).has_acls() => match serde_json::from_str::<Acl>(text) {
            Ok(acl) => Acl { owner, ..acl },
            Err(_) => Acl { owner, grants: Vec::new() },
        },
        _ => private(&owner),
    }
}

/// An owner as answers name it.
pub(super) fn told(owner: &str) -> dto::Owner {
    let name = if owner.is_empty() { NOBODY } else { owner };
    dto::Owner { display_name: Some(name.to_owned()), id: Some(name.to_owned()) }
}

/// The list that a request asks for in its headers.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) canned: Option<Canned>,
    pub(super) grants: Vec<Grant>,
}

impl Asked {
    /// Whether it asks for anything.
    pub(super) fn is_some(&self) -> bool {
        self.canned.is_some() || !self.grants.is_empty()
    }
}

impl<E: Env> Face<E> {
    /// What this site knows of accounts. They have no e-mail addresses.
    pub(super) fn with_accounts<T>(&self, run: impl FnOnce(Accounts<'_>) -> T) -> T {
        run(Accounts { exists: &|id| self.keys.knows(&Account(id.to_owned())), by_email: &|_| None })
    }

    /// The list that headers ask for.
    pub(super) fn asked(&self, headers: &HeaderMap) -> S3Result<Asked> {
        let text = |name: &str| match headers.get(name).map(|value| value.to_str()) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(s3_error!(InvalidArgument, "{} is not text", name)),
        };
        let canned = text("x-amz-acl")?.map(Canned::parse).transpose()?;
        let mut grants = Vec::new();
        for (name, permission) in GRANT_HEADERS {
            if let Some(value) = text(name)? {
                grants.extend(self.with_accounts(|accounts| parse_header(permission, value, accounts))?);
            }
        }
        Ok(Asked { canned, grants })
    }

    /// The owner and the list that a new version is born with.
    pub(super) fn born<T>(&self, request: &S3Request<T>, bucket: &Bucket) -> S3Result<Headers> {
        let asked = self.asked(&request.headers)?;
        let ownership = ownership(bucket);
        ownership.check(asked.canned, !asked.grants.is_empty())?;
        let writer = self.who(request)?.map(|account| account.0).unwrap_or_default();
        let bucket_owner = bucket.id.owner();
        let owner = ownership.owner(&writer, bucket_owner, asked.canned);
        let acl = Acl::of_headers(asked.canned, asked.grants, owner, bucket_owner)?;
        block::check_list(bucket, &acl)?;
        let mut born = Headers::new();
        if owner != bucket_owner {
            born.insert(OWNER.to_owned(), owner.to_owned());
        }
        if acl != private(owner) {
            born.insert(ACL.to_owned(), stored(&acl));
        }
        Ok(born)
    }

    pub(super) async fn get_bucket_ownership_controls(
        &self,
        request: S3Request<dto::GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::GetBucketOwnershipControlsOutput>> {
        let bucket =
            self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_OWNERSHIP_CONTROLS).await?;
        let Some(ownership) = controls(&bucket) else {
            return Err(absent("OwnershipControlsNotFoundError"));
        };
        let object_ownership = dto::ObjectOwnership::from_static(ownership.name());
        let rules = vec![dto::OwnershipControlsRule { object_ownership }];
        let ownership_controls = Some(dto::OwnershipControls { rules });
        Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput { ownership_controls }))
    }

    pub(super) async fn put_bucket_ownership_controls(
        &self,
        request: S3Request<dto::PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::PutBucketOwnershipControlsOutput>> {
        let bucket =
            self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_OWNERSHIP_CONTROLS).await?;
        let [rule] = &request.input.ownership_controls.rules[..] else {
            return Err(s3_error!(MalformedXML, "OwnershipControls have one Rule"));
        };
        let ownership = Ownership::parse(rule.object_ownership.as_str())?;
        ownership.check_bucket(&of_bucket(&bucket))?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, ownership.name()).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketOwnershipControlsOutput::default()))
    }

    pub(super) async fn delete_bucket_ownership_controls(
        &self,
        request: S3Request<dto::DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketOwnershipControlsOutput>> {
        let bucket =
            self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_OWNERSHIP_CONTROLS).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        let output = dto::DeleteBucketOwnershipControlsOutput::default();
        Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
    }
}

/// Whether a bucket has lists at all.
pub(super) fn check_has_acls(bucket: &Bucket) -> Result<(), Refusal> {
    ownership(bucket).check(None, true)
}
