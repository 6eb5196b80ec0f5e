//! Public access block: what no list and no policy of a bucket can undo.
//!
//! Invariant: a configuration that does not read blocks everything that there is to block.
//! Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage".

use super::{Face, acl::Acl, action::Action, error, handler::absent, refusal::Refusal};
use crate::{engine::Bucket, env::Env};
use hyper::StatusCode;
use s3s::{S3Request, S3Response, S3Result, dto};
use serde::{Deserialize, Serialize};

/// The document of a bucket that this is about.
const DOCUMENT: &str = "public-access-block";

/// What is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "S3's four, by their names")]
pub(super) struct Block {
    /// New lists that grant to a group.
    block_public_acls: bool,
    /// New policies that let strangers in.
    pub(super) block_public_policy: bool,
    /// What lists grant to groups.
    pub(super) ignore_public_acls: bool,
    /// What a policy that lets strangers in allows to other accounts.
    pub(super) restrict_public_buckets: bool,
}

impl Block {
    const ALL: Self = Self {
        block_public_acls: true,
        block_public_policy: true,
        ignore_public_acls: true,
        restrict_public_buckets: true,
    };

    fn put(bucket: &Bucket) -> Option<Self> {
        let text = bucket.documents.get(DOCUMENT)?;
        Some(serde_json::from_str(text).unwrap_or(Self::ALL))
    }

    /// What a bucket blocks.
    pub(super) fn of(bucket: &Bucket) -> Self {
        Self::put(bucket).unwrap_or_default()
    }
}

/// Whether a list may be set in a bucket.
pub(super) fn check_list(bucket: &Bucket, acl: &Acl) -> Result<(), Refusal> {
    if Block::of(bucket).block_public_acls && acl.is_public() {
        return Err(Refusal::denied("the bucket blocks public ACLs; grant to accounts"));
    }
    Ok(())
}

impl<E: Env> Face<E> {
    pub(super) async fn get_public_access_block(
        &self,
        request: S3Request<dto::GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::GetPublicAccessBlockOutput>> {
        let action = Action::GET_BUCKET_PUBLIC_ACCESS_BLOCK;
        let bucket = self.bucket(&request, &request.input.bucket, action).await?;
        let block = Block::put(&bucket).ok_or_else(|| absent("NoSuchPublicAccessBlockConfiguration"))?;
        let configuration = dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            block_public_policy: Some(block.block_public_policy),
            ignore_public_acls: Some(block.ignore_public_acls),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        };
        let output =
            dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) };
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_public_access_block(
        &self,
        request: S3Request<dto::PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::PutPublicAccessBlockOutput>> {
        let action = Action::PUT_BUCKET_PUBLIC_ACCESS_BLOCK;
        let bucket = self.bucket(&request, &request.input.bucket, action).await?;
        let sent = &request.input.public_access_block_configuration;
        let block = Block {
            block_public_acls: sent.block_public_acls.unwrap_or(false),
            block_public_policy: sent.block_public_policy.unwrap_or(false),
            ignore_public_acls: sent.ignore_public_acls.unwrap_or(false),
            restrict_public_buckets: sent.restrict_public_buckets.unwrap_or(false),
        };
        let text = serde_json::to_string(&block).expect("a block is plain data");
        self.engine.configure_bucket(&bucket.id, DOCUMENT, &text).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutPublicAccessBlockOutput::default()))
    }

    pub(super) async fn delete_public_access_block(
        &self,
        request: S3Request<dto::DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<dto::DeletePublicAccessBlockOutput>> {
        let action = Action::PUT_BUCKET_PUBLIC_ACCESS_BLOCK;
        let bucket = self.bucket(&request, &request.input.bucket, action).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        let output = dto::DeletePublicAccessBlockOutput::default();
        Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
    }
}
