//! Bucket policies as buckets have them: put, read, and asked of every request.
//!
//! A policy is parsed once for as long as its text stays the same.
//!
//! Invariant: a policy that does not read denies everything, but to the bucket's owner what is about the policy itself.

use super::{
    Face,
    action::Action,
    block::Block,
    error,
    handler::absent,
    ownership,
    policy::{Decision, Policy, Request},
};
use crate::{engine::Bucket, env::Env, object::BucketId};
use hyper::StatusCode;
use s3s::{S3Request, S3Response, S3Result, dto};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The document of a bucket that this is about.
const DOCUMENT: &str = "policy";
/// How many parsed policies are kept. Beyond it all are forgotten: they are parsed again as they are asked.
const KEPT: usize = 1024;

/// A bucket's policy, to be asked.
#[derive(Clone)]
pub(super) enum Asked {
    /// There is none.
    None,
    /// It does not read.
    Broken,
    Policy(Arc<Policy>),
}

impl Asked {
    fn parse(text: &str, bucket: &str) -> Self {
        Policy::parse(text, bucket).map_or(Self::Broken, |policy| Self::Policy(Arc::new(policy)))
    }

    /// What it says of a request.
    pub(super) fn decide(&self, request: &Request<'_>) -> Decision {
        match self {
            Self::None => Decision::None,
            Self::Broken => Decision::Deny,
            Self::Policy(policy) => policy.decide(request),
        }
    }

    /// Whether it lets strangers in.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::Policy(policy) if policy.is_public())
    }
}

/// Whether a document can be the policy of a bucket of this name; if not, why and where in it.
pub fn check_policy(document: &str, bucket: &str) -> Result<(), String> {
    Policy::parse(document, bucket).map(drop).map_err(|error| error.to_string())
}

/// Policies that were asked lately, with the texts that they are of.
#[derive(Default)]
pub(super) struct Policies(Mutex<BTreeMap<BucketId, (String, Asked)>>);

impl Policies {
    /// The policy of a bucket.
    pub(super) fn of(&self, bucket: &Bucket) -> Asked {
        let Some(text) = bucket.documents.get(DOCUMENT) else { return Asked::None };
        let mut parsed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, policy)) = parsed.get(&bucket.id)
            && known == text
        {
            return policy.clone();
        }
        if parsed.len() >= KEPT {
            parsed.clear();
        }
        let policy = Asked::parse(text, bucket.id.name());
        parsed.insert(bucket.id.clone(), (text.clone(), policy.clone()));
        policy
    }
}

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_policy(
        &self,
        request: S3Request<dto::GetBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_POLICY).await?;
        let policy = bucket.documents.get(DOCUMENT).ok_or_else(|| absent("NoSuchBucketPolicy"))?;
        Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(policy.clone()) }))
    }

    pub(super) async fn put_bucket_policy(
        &self,
        request: S3Request<dto::PutBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::PutBucketPolicyOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_POLICY).await?;
        let text = &request.input.policy;
        let policy = Policy::parse(text, bucket.id.name()).map_err(super::refusal::Refusal::from)?;
        if Block::of(&bucket).block_public_policy && policy.is_public() {
            return Err(super::authorize::denied());
        }
        self.engine.configure_bucket(&bucket.id, DOCUMENT, text).await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::PutBucketPolicyOutput {}, StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_bucket_policy(
        &self,
        request: S3Request<dto::DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketPolicyOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::DELETE_BUCKET_POLICY).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketPolicyOutput {}, StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_bucket_policy_status(
        &self,
        request: S3Request<dto::GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<dto::GetBucketPolicyStatusOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_POLICY_STATUS).await?;
        let is_public = self.policies.of(&bucket).is_public() || ownership::of_bucket(&bucket).is_public();
        let policy_status = Some(dto::PolicyStatus { is_public: Some(is_public) });
        Ok(S3Response::new(dto::GetBucketPolicyStatusOutput { policy_status }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_does_not_read_denies() {
        let asked = Asked::parse("{}", "bucket");
        let request =
            Request { principal: None, action: "s3:GetObject", resource: "bucket/k", values: &|_| vec![] };
        assert_eq!(asked.decide(&request), Decision::Deny);
        assert_eq!(Asked::None.decide(&request), Decision::None);
    }
}
