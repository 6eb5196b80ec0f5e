//! Tags of buckets: a document that nothing here depends on.

use super::{Face, action::Action, error, handler::absent, refusal::Refusal, tagging};
use crate::env::Env;
use hyper::StatusCode;
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};
use std::collections::BTreeSet;

/// The document of a bucket that this is about: the names and values in the order in which they came, as JSON.
const DOCUMENT: &str = "tagging";
/// Most tags of a bucket, as S3 has it.
const TAGS_MAX: usize = 50;

fn check(tags: &[(String, String)]) -> Result<(), Refusal> {
    if tags.len() > TAGS_MAX {
        return Err(Refusal::new("InvalidTag", format!("a bucket has at most {TAGS_MAX} tags")));
    }
    let names: BTreeSet<_> = tags.iter().map(|(name, _)| name).collect();
    if names.len() < tags.len() {
        return Err(Refusal::new("InvalidTag", "cannot provide multiple Tags with the same key"));
    }
    tags.iter().try_for_each(|(name, value)| tagging::check_one(name, value))
}

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_tagging(
        &self,
        request: S3Request<dto::GetBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::GetBucketTaggingOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_TAGGING).await?;
        let text = bucket.documents.get(DOCUMENT).ok_or_else(|| absent("NoSuchTagSet"))?;
        let tags: Vec<(String, String)> = serde_json::from_str(text)
            .map_err(|_| s3_error!(InternalError, "the bucket's tags do not read; put them again"))?;
        let tag = |(name, value)| dto::Tag { key: Some(name), value: Some(value) };
        let tag_set = tags.into_iter().map(tag).collect();
        Ok(S3Response::new(dto::GetBucketTaggingOutput { tag_set }))
    }

    pub(super) async fn put_bucket_tagging(
        &self,
        request: S3Request<dto::PutBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::PutBucketTaggingOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_TAGGING).await?;
        let tags = request.input.tagging.tag_set.into_iter().map(|tag| match (tag.key, tag.value) {
            (Some(name), Some(value)) => Ok((name, value)),
            _ => Err(s3_error!(MalformedXML, "a tag has a Key and a Value")),
        });
        let tags = tags.collect::<S3Result<Vec<_>>>()?;
        check(&tags)?;
        let text = serde_json::to_string(&tags).expect("tags are plain data");
        self.engine.configure_bucket(&bucket.id, DOCUMENT, &text).await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::PutBucketTaggingOutput {}, StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_bucket_tagging(
        &self,
        request: S3Request<dto::DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketTaggingOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_TAGGING).await?;
        self.engine.configure_bucket(&bucket.id, DOCUMENT, "").await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketTaggingOutput {}, StatusCode::NO_CONTENT))
    }
}
