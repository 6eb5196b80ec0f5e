//! What requests do, by the names that policies give it, and whose permission each takes.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3", Service Authorization Reference; "Access control list
//! (ACL) overview", Amazon S3 User Guide.

use super::acl::Permission;

/// Whose it is to allow something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The bucket's owner and its ACL; the resource is the bucket.
    Bucket,
    /// The same; the resource is the key.
    Key,
    /// The object's owner and its ACL: not the bucket's owner, if somebody else owns the object.
    Object,
}

/// Something that a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    /// As in `s3:GetObject`.
    pub(super) name: &'static str,
    pub(super) of: Of,
    /// What an ACL must grant; without it no ACL allows the action.
    pub(super) permission: Option<Permission>,
}

impl Action {
    /// Whether it is about the bucket's policy itself, which no policy keeps from the bucket's owner.
    pub(super) fn is_on_policy(self) -> bool {
        [Self::GET_BUCKET_POLICY, Self::PUT_BUCKET_POLICY, Self::DELETE_BUCKET_POLICY].contains(&self)
    }

    /// The action where a request names a version.
    #[must_use]
    pub(super) fn on_version(self, version_id: Option<&str>) -> Self {
        let is_named = version_id.is_some();
        match self {
            Self::GET_OBJECT if is_named => Self::GET_OBJECT_VERSION,
            Self::GET_OBJECT_ACL if is_named => Self::GET_OBJECT_VERSION_ACL,
            Self::PUT_OBJECT_ACL if is_named => Self::PUT_OBJECT_VERSION_ACL,
            Self::DELETE_OBJECT if is_named => Self::DELETE_OBJECT_VERSION,
            Self::GET_OBJECT_TAGGING if is_named => Self::GET_OBJECT_VERSION_TAGGING,
            Self::PUT_OBJECT_TAGGING if is_named => Self::PUT_OBJECT_VERSION_TAGGING,
            Self::DELETE_OBJECT_TAGGING if is_named => Self::DELETE_OBJECT_VERSION_TAGGING,
            other => other,
        }
    }
}

macro_rules! actions {
    ($($constant:ident: $name:literal, $of:ident $(, $permission:ident)?;)*) => {
        impl Action {
            $(pub(super) const $constant: Self = Self {
                name: concat!("s3:", $name),
                of: Of::$of,
                permission: actions!(@ $($permission)?),
            };)*
        }
    };
    (@) => { None };
    (@ $permission:ident) => { Some(Permission::$permission) };
}

actions! {
    DELETE_BUCKET_POLICY: "DeleteBucketPolicy", Bucket;
    DELETE_BUCKET: "DeleteBucket", Bucket;
    GET_BUCKET_ACL: "GetBucketAcl", Bucket, ReadAcp;
    GET_BUCKET_CORS: "GetBucketCORS", Bucket;
    GET_BUCKET_LOCATION: "GetBucketLocation", Bucket;
    GET_BUCKET_OBJECT_LOCK: "GetBucketObjectLockConfiguration", Bucket;
    GET_BUCKET_OWNERSHIP_CONTROLS: "GetBucketOwnershipControls", Bucket;
    GET_BUCKET_POLICY: "GetBucketPolicy", Bucket;
    GET_BUCKET_POLICY_STATUS: "GetBucketPolicyStatus", Bucket;
    GET_BUCKET_PUBLIC_ACCESS_BLOCK: "GetBucketPublicAccessBlock", Bucket;
    GET_BUCKET_TAGGING: "GetBucketTagging", Bucket;
    GET_BUCKET_VERSIONING: "GetBucketVersioning", Bucket;
    GET_BUCKET_WEBSITE: "GetBucketWebsite", Bucket;
    GET_ENCRYPTION: "GetEncryptionConfiguration", Bucket;
    GET_LIFECYCLE: "GetLifecycleConfiguration", Bucket;
    GET_REPLICATION: "GetReplicationConfiguration", Bucket;
    PUT_REPLICATION: "PutReplicationConfiguration", Bucket;
    PUT_LIFECYCLE: "PutLifecycleConfiguration", Bucket;
    LIST_BUCKET: "ListBucket", Bucket, Read;
    LIST_BUCKET_UPLOADS: "ListBucketMultipartUploads", Bucket, Read;
    LIST_BUCKET_VERSIONS: "ListBucketVersions", Bucket, Read;
    PUT_BUCKET_ACL: "PutBucketAcl", Bucket, WriteAcp;
    PUT_BUCKET_CORS: "PutBucketCORS", Bucket;
    PUT_BUCKET_OBJECT_LOCK: "PutBucketObjectLockConfiguration", Bucket;
    PUT_BUCKET_OWNERSHIP_CONTROLS: "PutBucketOwnershipControls", Bucket;
    PUT_BUCKET_POLICY: "PutBucketPolicy", Bucket;
    PUT_BUCKET_PUBLIC_ACCESS_BLOCK: "PutBucketPublicAccessBlock", Bucket;
    PUT_BUCKET_TAGGING: "PutBucketTagging", Bucket;
    PUT_BUCKET_VERSIONING: "PutBucketVersioning", Bucket;

    ABORT_UPLOAD: "AbortMultipartUpload", Key, Write;
    BYPASS_GOVERNANCE: "BypassGovernanceRetention", Key;
    DELETE_OBJECT: "DeleteObject", Key, Write;
    // A grant to write lets nobody but the bucket's owner end what is kept.
    DELETE_OBJECT_VERSION: "DeleteObjectVersion", Key;
    DELETE_OBJECT_TAGGING: "DeleteObjectTagging", Key;
    DELETE_OBJECT_VERSION_TAGGING: "DeleteObjectVersionTagging", Key;
    GET_LEGAL_HOLD: "GetObjectLegalHold", Key;
    GET_OBJECT_TAGGING: "GetObjectTagging", Key;
    GET_OBJECT_VERSION_TAGGING: "GetObjectVersionTagging", Key;
    GET_RETENTION: "GetObjectRetention", Key;
    LIST_UPLOAD_PARTS: "ListMultipartUploadParts", Key, Write;
    PUT_LEGAL_HOLD: "PutObjectLegalHold", Key;
    PUT_OBJECT: "PutObject", Key, Write;
    PUT_OBJECT_TAGGING: "PutObjectTagging", Key;
    PUT_OBJECT_VERSION_TAGGING: "PutObjectVersionTagging", Key;
    PUT_RETENTION: "PutObjectRetention", Key;

    GET_OBJECT: "GetObject", Object, Read;
    GET_OBJECT_VERSION: "GetObjectVersion", Object, Read;
    GET_OBJECT_ACL: "GetObjectAcl", Object, ReadAcp;
    GET_OBJECT_VERSION_ACL: "GetObjectVersionAcl", Object, ReadAcp;
    PUT_OBJECT_ACL: "PutObjectAcl", Object, WriteAcp;
    PUT_OBJECT_VERSION_ACL: "PutObjectVersionAcl", Object, WriteAcp;
}
