//! The operations of object lock: a bucket's configuration, and the retention and legal hold of a version.

use super::{
    Face,
    action::Action,
    authorize::About,
    error,
    handler::absent,
    lock::{self, DefaultRetention, Period},
    metadata::Headers,
    names,
};
use crate::{
    engine::{Bucket, Change, LEGAL_HOLD, RETENTION, VersionRef},
    env::Env,
    object::{Versioning, lock::Mode},
};
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

impl<E: Env> Face<E> {
    pub(super) async fn get_object_lock_configuration(
        &self,
        request: S3Request<dto::GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<dto::GetObjectLockConfigurationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_OBJECT_LOCK).await?;
        if !lock::is_on(&bucket) {
            return Err(absent("ObjectLockConfigurationNotFoundError"));
        }
        let rule = lock::default_of(&bucket)?.map(|DefaultRetention { mode, period }| {
            let (days, years) = match period {
                Period::Days(days) => (i32::try_from(days).ok(), None),
                Period::Years(years) => (None, i32::try_from(years).ok()),
            };
            let mode = Some(dto::ObjectLockRetentionMode::from_static(mode.name()));
            dto::ObjectLockRule { default_retention: Some(dto::DefaultRetention { days, mode, years }) }
        });
        let enabled = dto::ObjectLockEnabled::from_static(dto::ObjectLockEnabled::ENABLED);
        let configuration = dto::ObjectLockConfiguration { object_lock_enabled: Some(enabled), rule };
        let output = dto::GetObjectLockConfigurationOutput { object_lock_configuration: Some(configuration) };
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_object_lock_configuration(
        &self,
        request: S3Request<dto::PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<dto::PutObjectLockConfigurationOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_OBJECT_LOCK).await?;
        let Some(configuration) = &request.input.object_lock_configuration else {
            return Err(s3_error!(MalformedXML, "send an ObjectLockConfiguration"));
        };
        let enabled = configuration.object_lock_enabled.as_ref();
        lock::check_enabled(enabled.map_or("", dto::ObjectLockEnabled::as_str))?;
        let default = match configuration.rule.as_ref().map(|rule| rule.default_retention.as_ref()) {
            None => None,
            Some(None) => return Err(s3_error!(MalformedXML, "a Rule has a DefaultRetention")),
            Some(Some(default)) => {
                let mode = default.mode.as_ref().map_or("", dto::ObjectLockRetentionMode::as_str);
                Some(DefaultRetention::of_body(mode, default.days, default.years)?)
            }
        };
        if bucket.versioning != Versioning::Enabled {
            return Err(s3_error!(InvalidBucketState, "enable the bucket's versioning first"));
        }
        let document = default.map_or_else(|| lock::ENABLED.to_owned(), |default| default.to_string());
        self.engine.configure_bucket(&bucket.id, lock::DOCUMENT, &document).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutObjectLockConfigurationOutput::default()))
    }

    pub(super) async fn get_object_retention(
        &self,
        request: S3Request<dto::GetObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::GetObjectRetentionOutput>> {
        let input = &request.input;
        let bucket = self.bucket_of(&request, &input.bucket, &input.key, Action::GET_RETENTION).await?;
        lock::check_on(&bucket)?;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let Some(retention) = object.lock.retention else {
            return Err(absent("NoSuchObjectLockConfiguration"));
        };
        let retention = dto::ObjectLockRetention {
            mode: Some(dto::ObjectLockRetentionMode::from_static(retention.mode.name())),
            retain_until_date: Some(names::at_ms(retention.until_ms)),
        };
        Ok(S3Response::new(dto::GetObjectRetentionOutput { retention: Some(retention) }))
    }

    pub(super) async fn put_object_retention(
        &self,
        request: S3Request<dto::PutObjectRetentionInput>,
    ) -> S3Result<S3Response<dto::PutObjectRetentionOutput>> {
        let input = &request.input;
        let bucket = self.bucket_of(&request, &input.bucket, &input.key, Action::PUT_RETENTION).await?;
        lock::check_on(&bucket)?;
        let sent = input.retention.as_ref();
        let mode = sent.and_then(|retention| retention.mode.as_ref());
        let until = sent.and_then(|retention| retention.retain_until_date.as_ref());
        let retention = lock::of_body(
            mode.map(dto::ObjectLockRetentionMode::as_str),
            until.map(milliseconds),
            self.engine.env().wall_ms(),
        )?;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let bypass = self.bypasses(&request, &bucket, &input.key)?;
        let (version, change) = (VersionRef::Dot(object.version.dot), Change::Retention(retention, bypass));
        self.engine.change(&bucket.id, &input.key, Some(version), change).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutObjectRetentionOutput::default()))
    }

    pub(super) async fn get_object_legal_hold(
        &self,
        request: S3Request<dto::GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<dto::GetObjectLegalHoldOutput>> {
        let input = &request.input;
        let bucket = self.bucket_of(&request, &input.bucket, &input.key, Action::GET_LEGAL_HOLD).await?;
        lock::check_on(&bucket)?;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let Some(hold) = object.lock.legal_hold else {
            return Err(absent("NoSuchObjectLockConfiguration"));
        };
        let legal_hold = Some(dto::ObjectLockLegalHold { status: Some(hold_status(hold)) });
        Ok(S3Response::new(dto::GetObjectLegalHoldOutput { legal_hold }))
    }

    pub(super) async fn put_object_legal_hold(
        &self,
        request: S3Request<dto::PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<dto::PutObjectLegalHoldOutput>> {
        let input = &request.input;
        let bucket = self.bucket_of(&request, &input.bucket, &input.key, Action::PUT_LEGAL_HOLD).await?;
        lock::check_on(&bucket)?;
        let status = input.legal_hold.as_ref().and_then(|hold| hold.status.as_ref());
        let hold = lock::parse_legal_hold(status.map_or("", dto::ObjectLockLegalHoldStatus::as_str))?;
        let object = self.find(&bucket, &input.key, input.version_id.as_deref()).await?;
        let (version, change) = (VersionRef::Dot(object.version.dot), Change::LegalHold(hold));
        self.engine.change(&bucket.id, &input.key, Some(version), change).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutObjectLegalHoldOutput::default()))
    }
}

impl<E: Env> Face<E> {
    /// Whether a request asks to bypass GOVERNANCE, and may.
    pub(super) fn bypasses<T>(&self, request: &S3Request<T>, bucket: &Bucket, key: &str) -> S3Result<bool> {
        let asks = request.headers.get("x-amz-bypass-governance-retention");
        if !asks.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
            return Ok(false);
        }
        self.may(request, bucket, Action::BYPASS_GOVERNANCE, &About::key(key))
    }

    /// The owner, the list and the lock that a new version is born with. Who may write may not therefore lock.
    pub(super) fn born_with<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        key: &str,
    ) -> S3Result<Headers> {
        let locks = lock::of_request(bucket, &request.headers, self.engine.env().wall_ms())?;
        for (header, action) in [(RETENTION, Action::PUT_RETENTION), (LEGAL_HOLD, Action::PUT_LEGAL_HOLD)] {
            if locks.contains_key(header) {
                self.check(request, bucket, action, &About::key(key))?;
            }
        }
        let mut born = self.born(request, bucket)?;
        born.extend(locks);
        Ok(born)
    }

    /// The same for a version that is written now: with the bucket's default retention.
    pub(super) fn born_now<T>(
        &self,
        request: &S3Request<T>,
        bucket: &Bucket,
        key: &str,
    ) -> S3Result<Headers> {
        let mut born = self.born_with(request, bucket, key)?;
        lock::add_default(&mut born, bucket, self.engine.env().wall_ms())?;
        Ok(born)
    }
}

/// A time in milliseconds; 1970 has always passed.
fn milliseconds(time: &dto::Timestamp) -> u64 {
    let nanoseconds = time::OffsetDateTime::from(time.clone()).unix_timestamp_nanos();
    u64::try_from(nanoseconds / 1_000_000).unwrap_or(0)
}

/// A retention's mode as GET and HEAD tell it.
pub(super) fn mode(mode: Mode) -> dto::ObjectLockMode {
    dto::ObjectLockMode::from_static(mode.name())
}

/// A legal hold as answers tell it.
pub(super) fn hold_status(hold: bool) -> dto::ObjectLockLegalHoldStatus {
    use dto::ObjectLockLegalHoldStatus as Status;
    Status::from_static(if hold { Status::ON } else { Status::OFF })
}
