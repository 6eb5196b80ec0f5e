//! The operations on access control lists of buckets and objects.

use super::{
    Face,
    acl::{Acl, Grant, Grantee, Permission},
    action::Action,
    block, error,
    ownership::{self, check_has_acls, of_bucket, of_object, stored, told},
};
use crate::{
    engine::{Bucket, Change, VersionRef},
    env::Env,
};
use hyper::HeaderMap;
use s3s::{S3Request, S3Response, S3Result, dto, s3_error};

impl<E: Env> Face<E> {
    pub(super) async fn get_bucket_acl(
        &self,
        request: S3Request<dto::GetBucketAclInput>,
    ) -> S3Result<S3Response<dto::GetBucketAclOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::GET_BUCKET_ACL).await?;
        let acl = of_bucket(&bucket);
        let output = dto::GetBucketAclOutput { grants: Some(shown(&acl)), owner: Some(told(&acl.owner)) };
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_bucket_acl(
        &self,
        request: S3Request<dto::PutBucketAclInput>,
    ) -> S3Result<S3Response<dto::PutBucketAclOutput>> {
        let bucket = self.bucket(&request, &request.input.bucket, Action::PUT_BUCKET_ACL).await?;
        let body = request.input.access_control_policy.as_ref();
        let acl = self.put_list(&bucket, bucket.id.owner(), &request.headers, body)?;
        let (field, value) = (ownership::ACL_DOCUMENT, stored(&acl));
        self.engine.configure_bucket(&bucket.id, field, &value).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutBucketAclOutput::default()))
    }

    pub(super) async fn get_object_acl(
        &self,
        request: S3Request<dto::GetObjectAclInput>,
    ) -> S3Result<S3Response<dto::GetObjectAclOutput>> {
        let input = &request.input;
        let named = input.version_id.as_deref();
        let (bucket, object) =
            self.object(&request, &input.bucket, &input.key, named, Action::GET_OBJECT_ACL).await?;
        let acl = of_object(&object, &bucket);
        let (grants, owner) = (Some(shown(&acl)), Some(told(&acl.owner)));
        Ok(S3Response::new(dto::GetObjectAclOutput { grants, owner, request_charged: None }))
    }

    pub(super) async fn put_object_acl(
        &self,
        request: S3Request<dto::PutObjectAclInput>,
    ) -> S3Result<S3Response<dto::PutObjectAclOutput>> {
        let input = &request.input;
        let named = input.version_id.as_deref();
        let (bucket, object) =
            self.object(&request, &input.bucket, &input.key, named, Action::PUT_OBJECT_ACL).await?;
        let owner = of_object(&object, &bucket).owner;
        let body = input.access_control_policy.as_ref();
        let acl = self.put_list(&bucket, &owner, &request.headers, body)?;
        let (version, change) = (VersionRef::Dot(object.version.dot), Change::Acl(stored(&acl)));
        self.engine.change(&bucket.id, &input.key, Some(version), change).await.map_err(error::of)?;
        Ok(S3Response::new(dto::PutObjectAclOutput::default()))
    }

    /// The list that is put on a bucket or an object: by headers, or by the body.
    fn put_list(
        &self,
        bucket: &Bucket,
        owner: &str,
        headers: &HeaderMap,
        body: Option<&dto::AccessControlPolicy>,
    ) -> S3Result<Acl> {
        check_has_acls(bucket)?;
        let asked = self.asked(headers)?;
        let acl = match body {
            Some(_) if asked.is_some() => {
                return Err(s3_error!(UnexpectedContent, "send an AccessControlPolicy or headers, not both"));
            }
            Some(body) => {
                let grants = body.grants.iter().flatten().map(|grant| self.grant_of(grant));
                Acl::of_grants(owner, grants.collect::<S3Result<_>>()?)?
            }
            None if asked.is_some() => Acl::of_headers(asked.canned, asked.grants, owner, bucket.id.owner())?,
            None => return Err(s3_error!(MissingSecurityHeader, "send an AccessControlPolicy or x-amz-acl")),
        };
        block::check_list(bucket, &acl)?;
        Ok(acl)
    }

    fn grant_of(&self, grant: &dto::Grant) -> S3Result<Grant> {
        let malformed = || s3_error!(MalformedACLError, "a Grant has a Grantee and a Permission");
        let (Some(grantee), Some(permission)) = (&grant.grantee, &grant.permission) else {
            return Err(malformed());
        };
        let permission = Permission::parse(permission.as_str())?;
        let grantee =
            self.with_accounts(|accounts| match (&grantee.id, &grantee.uri, &grantee.email_address) {
                (Some(id), _, _) => Grantee::of_id(id, accounts).map_err(Into::into),
                (None, Some(uri), _) => Grantee::of_uri(uri).map_err(Into::into),
                (None, None, Some(address)) => Grantee::of_email(address, accounts).map_err(Into::into),
                (None, None, None) => Err(malformed()),
            })?;
        Ok(Grant { grantee, permission })
    }
}

/// A list as answers carry it: the groups first, as AWS has it.
fn shown(acl: &Acl) -> Vec<dto::Grant> {
    let (groups, accounts): (Vec<_>, Vec<_>) =
        acl.grants.iter().partition(|grant| grant.grantee.uri().is_some());
    let grant = |grant: &Grant| {
        let named = match &grant.grantee {
            Grantee::Account(id) => told(id),
            Grantee::AllUsers | Grantee::AuthenticatedUsers => dto::Owner::default(),
        };
        let uri = grant.grantee.uri();
        let kind = if uri.is_some() { dto::Type::GROUP } else { dto::Type::CANONICAL_USER };
        let grantee = dto::Grantee {
            display_name: named.display_name,
            email_address: None,
            id: named.id,
            type_: dto::Type::from_static(kind),
            uri: uri.map(str::to_owned),
        };
        let permission = Some(dto::Permission::from_static(grant.permission.name()));
        dto::Grant { grantee: Some(grantee), permission }
    };
    groups.into_iter().chain(accounts).map(grant).collect()
}
