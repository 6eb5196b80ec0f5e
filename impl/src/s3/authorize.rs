//! Whether a request may be carried out: one decision for all of them, before any of the body is read.
//!
//! Every operation gets the bucket, or the object, that it works on from here and from nowhere else, so none can forget to
//! ask. In order: the bucket is there, and is the expected account's; the bucket's policy does not deny it; the bucket's owner
//! may, in its bucket and with its own objects; the policy allows it; the list of the bucket, or of the object, grants it;
//! else the request is refused. Who signs in which way makes no difference, nor does not signing but for being nobody.
//!
//! Invariants: what nothing allows is refused; a key that is not there is told as such to those who may list the bucket,
//! and refused to everybody else.
//! Source: Amazon S3 User Guide, "How Amazon S3 authorizes a request".

use super::{
    Account, Face,
    acl::{Acl, Permission},
    action::{Action, Of},
    block::Block,
    context::Context,
    error, ownership,
    policy::{self, Decision, Principal},
    ranges::Verified,
    tagging,
};
use crate::{
    engine::{Bucket, Object},
    env::Env,
};
use s3s::{S3ErrorCode, S3Request, S3Result, auth::Credentials, s3_error};

/// What a request is decided by.
#[derive(Clone, Copy)]
struct Case<'a> {
    /// The account that asks; none if the request is not signed.
    who: Option<&'a str>,
    bucket_owner: &'a str,
    /// The list of what it is about, with its owner.
    acl: &'a Acl,
    /// What the list must grant.
    permission: Option<Permission>,
    /// Whether it is about the bucket's policy itself.
    is_on_policy: bool,
    policy: Decision,
    is_policy_public: bool,
    block: Block,
}

impl Case<'_> {
    fn is_allowed(self) -> bool {
        let is_bucket_owner = self.who == Some(self.bucket_owner);
        // An owner that locked itself out by a policy can still take the policy back.
        if self.policy == Decision::Deny && !(is_bucket_owner && self.is_on_policy) {
            return false;
        }
        if is_bucket_owner && self.acl.owner == self.bucket_owner {
            return true;
        }
        let is_restricted = self.block.restrict_public_buckets && self.is_policy_public && !is_bucket_owner;
        if self.policy == Decision::Allow && !is_restricted {
            return true;
        }
        let acl = match self.acl.clone() {
            acl if self.block.ignore_public_acls => acl.without_groups(),
            acl => acl,
        };
        self.permission.is_some_and(|permission| acl.permits(self.who, permission))
    }
}

/// What is asked about in a bucket.
pub(super) struct About<'a, E: Env> {
    pub(super) key: Option<&'a str>,
    pub(super) object: Option<&'a Object<E>>,
    /// The keys that are asked about, if the request has no word on them.
    prefix: Option<&'a str>,
}

impl<'a, E: Env> About<'a, E> {
    pub(super) const BUCKET: Self = Self { key: None, object: None, prefix: None };

    /// A key, whether there is an object or not.
    pub(super) fn key(key: &'a str) -> Self {
        Self { key: Some(key), ..Self::BUCKET }
    }
}

/// Who signed a request; none if nobody did.
fn signer<T>(request: &S3Request<T>) -> Option<&Credentials> {
    let verified = || request.extensions.get::<Verified>().map(|verified| &verified.credentials);
    request.credentials.as_ref().or_else(verified)
}

impl<E: Env> Face<E> {
    /// The account that a request is made for; none if it is not signed.
    pub(super) fn who<T>(&self, request: &S3Request<T>) -> S3Result<Option<Account>> {
        let Some(credentials) = signer(request) else { return Ok(None) };
        let account = self.keys.account(&credentials.access_key);
        account.map(Some).ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }

    /// The bucket that a name means to the requester, if the requester may do this to it.
    pub(super) async fn bucket<T>(
        &self,
        request: &S3Request<T>,
        name: &str,
        action: Action,
    ) -> S3Result<Bucket> {
        let bucket = self.resolve(request, name).await?;
        self.check(request, &bucket, action, &About::BUCKET)?;
        Ok(bucket)
    }

    /// The same for something that is done to a key.
    pub(super) async fn bucket_of<T>(
        &self,
        request: &S3Request<T>,
        name: &str,
        key: &str,
        action: Action,
    ) -> S3Result<Bucket> {
        let bucket = self.resolve(request, name).await?;
        self.check(request, &bucket, action, &About::key(key))?;
        Ok(bucket)
    }

    /// The object that a request is about, with its bucket, if the requester may do this to it. What is decided about is
    /// what comes back.
    pub(super) async fn object<T>(
        &self,
        request: &S3Request<T>,
        name: &str,
        key: &str,
        version_id: Option<&str>,
        action: Action,
    ) -> S3Result<(Bucket, Object<E>)> {
        let bucket = self.resolve(request, name).await?;
        let object = self.object_in(request, &bucket, key, version_id, action).await?;
        Ok((bucket, object))
    }

    pub(super) async fn object_in<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
        action: Action,
    ) -> S3Result<Object<E>> {
        let action = action.on_version(version_id);
        match self.find(bucket, key, version_id).await {
            Ok(object) => {
                let about = About { object: Some(&object), ..About::key(key) };
                self.check(request, bucket, action, &about)?;
                Ok(object)
            }
            Err(error) => {
                let tells_of_keys = matches!(
                    error.code(),
                    S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion | S3ErrorCode::MethodNotAllowed
                );
                if tells_of_keys && !self.may_learn(request, bucket, key)? {
                    return Err(denied());
                }
                Err(error)
            }
        }
    }

    /// Whether a requester may know whether a key is there.
    fn may_learn<T>(&self, request: &S3Request<T>, bucket: &Bucket, key: &str) -> S3Result<bool> {
        let about = About { prefix: Some(key), ..About::BUCKET };
        self.may(request, bucket, Action::LIST_BUCKET, &about)
    }

    /// The bucket that a name means to the requester, who may have no rights in it: for operations that ask about each of
    /// several keys.
    pub(super) async fn resolve<T>(&self, request: &S3Request<T>, name: &str) -> S3Result<Bucket> {
        self.resolve_expected(request, name, "x-amz-expected-bucket-owner").await
    }

    /// The same; the header tells whose the bucket must be.
    pub(super) async fn resolve_expected<T>(
        &self,
        request: &S3Request<T>,
        name: &str,
        header: &str,
    ) -> S3Result<Bucket> {
        let who = self.who(request)?.map(|account| account.0).unwrap_or_default();
        let bucket = self.engine.resolve_bucket(name, &who).await.map_err(error::of)?;
        match request.headers.get(header) {
            Some(expected) if expected.as_bytes() != bucket.id.owner().as_bytes() => Err(denied()),
            _ => Ok(bucket),
        }
    }

    /// Refuses what a requester may not do.
    pub(super) fn check<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        action: Action,
        about: &About<'_, E>,
    ) -> S3Result<()> {
        if self.may(request, bucket, action, about)? { Ok(()) } else { Err(denied()) }
    }

    /// Whether a requester may do this.
    pub(super) fn may<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        action: Action,
        about: &About<'_, E>,
    ) -> S3Result<bool> {
        let who = self.who(request)?;
        let acl = match (action.of, about.object) {
            (Of::Object, Some(object)) => ownership::of_object(object, bucket),
            _ => ownership::of_bucket(bucket),
        };
        let name = bucket.id.name();
        let resource = match (action.of, about.key) {
            (Of::Key | Of::Object, Some(key)) => format!("{name}/{key}"),
            _ => name.to_owned(),
        };
        let policy = self.policies.of(bucket);
        let access_key = signer(request).map_or("", |credentials| &credentials.access_key);
        let verified = request.extensions.get::<Verified>();
        let principal = who.as_ref().map(|account| Principal { account: &account.0, user: access_key });
        let tags = about.object.map(tagging::of);
        let context = Context {
            who: principal.map(|principal| (principal.account, principal.user)),
            bucket_owner: bucket.id.owner(),
            headers: verified.map_or(&request.headers, |verified| &verified.headers),
            query: verified.map_or(request.uri.query().unwrap_or_default(), |verified| &verified.query),
            source: request.extensions.get().copied(),
            now_ms: self.engine.env().wall_ms(),
            prefix: about.prefix,
            existing_tags: tags.as_ref(),
            body_tags: request.extensions.get(),
            form: request.extensions.get().copied(),
        };
        let values = |key: &str| context.values(key);
        let asked = policy::Request { principal, action: action.name, resource: &resource, values: &values };
        let case = Case {
            is_on_policy: action.is_on_policy(),
            policy: policy.decide(&asked),
            is_policy_public: policy.is_public(),
            block: Block::of(bucket),
            who: who.as_ref().map(|account| account.0.as_str()),
            bucket_owner: bucket.id.owner(),
            acl: &acl,
            permission: action.permission,
        };
        Ok(case.is_allowed())
    }
}

pub(super) fn denied() -> s3s::S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::acl::Canned;

    const ALL: [Option<&str>; 4] = [Some("owner"), Some("writer"), Some("stranger"), None];

    /// Who may do something, of the owner, the writer, a stranger and nobody.
    fn allowed(change: impl Fn(&mut Case<'_>), acl: &Acl) -> [bool; 4] {
        ALL.map(|who| {
            let mut case = Case {
                who,
                bucket_owner: "owner",
                acl,
                permission: Some(Permission::Read),
                is_on_policy: false,
                policy: Decision::None,
                is_policy_public: false,
                block: Block::default(),
            };
            change(&mut case);
            case.is_allowed()
        })
    }

    #[test]
    fn a_denial_goes_before_everything_but_the_owners_hand_on_the_policy() {
        let open = Canned::PublicReadWrite.expand("owner", "owner");
        assert_eq!(allowed(|_| {}, &open), [true; 4]);
        assert_eq!(allowed(|case| case.policy = Decision::Deny, &open), [false; 4]);
        let on_policy = |case: &mut Case<'_>| (case.policy, case.is_on_policy) = (Decision::Deny, true);
        assert_eq!(allowed(on_policy, &open), [true, false, false, false]);
    }

    #[test]
    fn without_a_word_from_anybody_only_the_owner_may() {
        let own = Canned::Private.expand("owner", "owner");
        assert_eq!(allowed(|_| {}, &own), [true, false, false, false]);
        assert_eq!(allowed(|case| case.permission = None, &own), [true, false, false, false]);
        let writers = Canned::Private.expand("writer", "owner");
        assert_eq!(allowed(|_| {}, &writers), [false, true, false, false]);
        assert_eq!(allowed(|case| case.policy = Decision::Allow, &own), [true; 4]);
    }

    #[test]
    fn what_is_blocked_neither_a_policy_nor_a_list_allows() {
        let own = Canned::Private.expand("owner", "owner");
        let public = |case: &mut Case<'_>| {
            (case.policy, case.is_policy_public) = (Decision::Allow, true);
            case.block.restrict_public_buckets = true;
        };
        assert_eq!(allowed(public, &own), [true, false, false, false]);
        let not_public = |case: &mut Case<'_>| {
            case.policy = Decision::Allow;
            case.block.restrict_public_buckets = true;
        };
        assert_eq!(allowed(not_public, &own), [true; 4]);
        let open = Canned::PublicRead.expand("owner", "owner");
        assert_eq!(allowed(|case| case.block.ignore_public_acls = true, &open), [true, false, false, false]);
    }
}
