//! Deleting objects and versions, one or many.

use super::{Face, action::Action, authorize::About, error, lock, names, write};
use crate::{
    engine::{Bucket, Condition, Context, DeleteRequest, Deleted, Error},
    env::Env,
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

/// Most keys of one request, as in S3.
const KEYS_MAX: usize = 1000;

impl<E: Env> Face<E> {
    async fn delete_one<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
        context: Option<Context>,
        condition: Option<Condition>,
    ) -> S3Result<Deleted> {
        self.check(request, bucket, Action::DELETE_OBJECT.on_version(version_id), &About::key(key))?;
        let bypass = self.bypasses(request, bucket, key)?;
        let version = names::version(version_id)?;
        if version.is_none() {
            lock::check_write(bucket)?;
        }
        let key = key.to_owned();
        let request = DeleteRequest { bucket: bucket.id.clone(), key, version, context, condition, bypass };
        match self.engine.delete(request).await {
            Err(Error::PreconditionFailed(_)) => Err(s3_error!(PreconditionFailed)),
            deleted => deleted.map_err(error::of),
        }
    }

    pub(super) async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectOutput>> {
        let bucket = self.resolve(&request, &request.input.bucket).await?;
        let input = &request.input;
        let condition = write::condition_of_delete(input.if_match.as_ref())?;
        let context = write::context_of(&request.headers)?;
        let named = input.version_id.as_deref();
        let deleted = self.delete_one(&request, &bucket, &input.key, named, context, condition).await?;
        let marker = deleted
            .marker
            .and_then(|stamp| names::shown_version_id(stamp, deleted.is_null, bucket.versioning));
        let is_marker = deleted.marker.is_some() || deleted.marker_ended;
        let output = dto::DeleteObjectOutput {
            delete_marker: is_marker.then_some(true),
            version_id: marker.or_else(|| input.version_id.clone()),
            ..Default::default()
        };
        Ok(S3Response::with_status(output, hyper::StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_objects(
        &self,
        request: S3Request<dto::DeleteObjectsInput>,
    ) -> S3Result<S3Response<dto::DeleteObjectsOutput>> {
        let bucket = self.resolve(&request, &request.input.bucket).await?;
        let delete = &request.input.delete;
        if delete.objects.is_empty() || delete.objects.len() > KEYS_MAX {
            return Err(s3_error!(MalformedXML, "a request names 1 to 1000 objects"));
        }
        let is_quiet = delete.quiet.unwrap_or(false);
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for object in delete.objects.clone() {
            let named = object.version_id.as_deref();
            let condition = object.e_tag.map(|etag| Condition::Matches(etag.value().to_owned()));
            match self.delete_one(&request, &bucket, &object.key, named, None, condition).await {
                Ok(deleted) => {
                    let marker = deleted
                        .marker
                        .and_then(|stamp| names::shown_version_id(stamp, deleted.is_null, bucket.versioning));
                    let ended = object.version_id.clone().filter(|_| deleted.marker_ended);
                    let is_marker = deleted.marker.is_some() || deleted.marker_ended;
                    done.push(dto::DeletedObject {
                        delete_marker: is_marker.then_some(true),
                        delete_marker_version_id: marker.or(ended),
                        key: Some(object.key),
                        version_id: object.version_id,
                    });
                }
                Err(error) => failed.push(dto::Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        let output = dto::DeleteObjectsOutput {
            deleted: (!is_quiet).then_some(done),
            errors: (!failed.is_empty()).then_some(failed),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }
}
