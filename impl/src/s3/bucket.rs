//! Buckets: their creation, listing, settings and end.

use super::{
    Face,
    acl::{Acl, Ownership},
    action::Action,
    error, lock, names, ownership,
};
use crate::{
    engine::{Bucket, Error},
    env::Env,
    object::Versioning,
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

impl<E: Env> Face<E> {
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<dto::CreateBucketInput>,
    ) -> S3Result<S3Response<dto::CreateBucketOutput>> {
        let account = self.account(&request)?;
        let name = &request.input.bucket;
        let id = names::bucket_id(name, &account.0)?;
        let asked = self.asked(&request.headers)?;
        let acl = Acl::of_headers(asked.canned, asked.grants, &account.0, &account.0)?;
        let stored = ownership::stored(&acl);
        let mut fields = Vec::new();
        if acl != ownership::private(&account.0) {
            fields.push((ownership::ACL_DOCUMENT, stored.as_str()));
        }
        if let Some(controls) = &request.input.object_ownership {
            let controls = Ownership::parse(controls.as_str())?;
            controls.check_bucket(&acl)?;
            fields.push((ownership::DOCUMENT, controls.name()));
        }
        if request.input.object_lock_enabled_for_bucket.unwrap_or(false) {
            // Locks are of versions, which are kept from the bucket's first moment on.
            fields.extend([("versioning", "enabled"), (lock::DOCUMENT, lock::ENABLED)]);
        }
        match self.engine.create_bucket(&id, &fields).await {
            Ok(_) => {}
            // As in us-east-1, and as tools that make sure of a bucket rely on.
            Err(Error::BucketAlreadyOwned(_)) => {
                let bucket = self.resolve(&request, name).await?;
                if ownership::of_bucket(&bucket) != acl {
                    return Err(s3_error!(BucketAlreadyExists, "the bucket exists and has another ACL"));
                }
            }
            Err(error) => return Err(error::of(error)),
        }
        Ok(S3Response::new(dto::CreateBucketOutput { location: Some(format!("/{name}")) }))
    }

    pub(super) async fn list_buckets(
        &self,
        request: S3Request<dto::ListBucketsInput>,
    ) -> S3Result<S3Response<dto::ListBucketsOutput>> {
        let account = self.account(&request)?;
        let prefix = request.input.prefix.clone().unwrap_or_default();
        let after = request.input.continuation_token.clone().unwrap_or_default();
        let max = request.input.max_buckets.and_then(|max| usize::try_from(max).ok()).unwrap_or(10_000);
        let all = self.engine.buckets(None).await.map_err(error::of)?;
        let own = all.into_iter().filter(|bucket| bucket.id.owner() == account.0);
        let mut own =
            own.filter(|bucket| bucket.id.name().starts_with(&prefix) && *bucket.id.name() > *after);
        let shown: Vec<Bucket> = own.by_ref().take(max).collect();
        let next = own.next().and(shown.last()).map(|last| last.id.name().to_owned());
        let buckets = shown.into_iter().map(|bucket| dto::Bucket {
            creation_date: bucket.created.map(names::written_at),
            name: Some(bucket.id.name().to_owned()),
            bucket_region: Some(self.region.clone()),
        });
        Ok(S3Response::new(dto::ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token: next,
            owner: Some(ownership::told(&account.0)),
            prefix: request.input.prefix,
        }))
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> S3Result<S3Response<dto::HeadBucketOutput>> {
        self.bucket(&request, &request.input.bucket, Action::LIST_BUCKET).await?;
        let output = dto::HeadBucketOutput { bucket_region: Some(self.region.clone()), ..Default::default() };
        Ok(S3Response::new(output))
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<dto::DeleteBucketInput>,
    ) -> S3Result<S3Response<dto::DeleteBucketOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::DELETE_BUCKET).await?;
        self.engine.delete_bucket(&bucket.id).await.map_err(error::of)?;
        Ok(S3Response::with_status(dto::DeleteBucketOutput {}, hyper::StatusCode::NO_CONTENT))
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> S3Result<S3Response<dto::GetBucketLocationOutput>> {
        self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_LOCATION).await?;
        // The first region has no name in this answer.
        let region = (self.region != "us-east-1").then(|| self.region.clone());
        let location_constraint = region.map(dto::BucketLocationConstraint::from);
        Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint }))
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<dto::GetBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::GetBucketVersioningOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_VERSIONING).await?;
        let status = match bucket.versioning {
            Versioning::Unversioned => None,
            Versioning::Enabled => Some(dto::BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(dto::BucketVersioningStatus::SUSPENDED),
        };
        let status = status.map(dto::BucketVersioningStatus::from_static);
        Ok(S3Response::new(dto::GetBucketVersioningOutput { status, ..Default::default() }))
    }

    pub(super) async fn put_bucket_versioning(
        &self,
        request: S3Request<dto::PutBucketVersioningInput>,
    ) -> S3Result<S3Response<dto::PutBucketVersioningOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_VERSIONING).await?;
        let status = request.input.versioning_configuration.status.as_ref();
        let value = match status.map(dto::BucketVersioningStatus::as_str) {
            Some(dto::BucketVersioningStatus::ENABLED) => "enabled",
            Some(dto::BucketVersioningStatus::SUSPENDED) if lock::is_on(&bucket) => {
                return Err(s3_error!(
                    InvalidBucketState,
                    "an Object Lock configuration is present on this bucket, so the versioning state cannot be changed"
                ));
            }
            Some(dto::BucketVersioningStatus::SUSPENDED) => "suspended",
            _ => return Err(s3_error!(MalformedXML, "Status is Enabled or Suspended")),
        };
        self.engine.configure_bucket(&bucket.id, "versioning", value).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketVersioningOutput {}))
    }
}
