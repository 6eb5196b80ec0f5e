//! Access control lists: grants that a bucket or an object carries, for accounts and for two groups.
//!
//! ACLs are older than policies and are off by default ([`Ownership::Enforced`]); then the owner of the bucket owns what is
//! in it and a policy decides the rest.
//!
//! Invariants: the owner can always read and write the ACL itself, so that no ACL locks its owner out; everything else
//! takes a grant, for the owner too. Nothing but a grant to a group makes an ACL public.
//! Source: Amazon S3 User Guide, "Access control list (ACL) overview" and "Controlling ownership of objects".

mod grantee;

pub(super) use grantee::{Accounts, Grantee, parse_header};

use super::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// Most grants of an ACL, as S3 has it.
const GRANTS_MAX: usize = 100;

/// The headers that grant, with what they grant.
pub(super) const GRANT_HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
    ("x-amz-grant-full-control", Permission::FullControl),
];

/// What a grant lets its grantee do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Permission {
    /// List a bucket, or read an object.
    Read,
    /// Write and delete the objects of a bucket. Nothing for an object.
    Write,
    /// Read the ACL.
    ReadAcp,
    /// Write the ACL.
    WriteAcp,
    /// All of these.
    FullControl,
}

/// One permission for one grantee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) grantee: Grantee,
    pub(super) permission: Permission,
}

/// The list of a bucket or an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acl {
    /// The account of the owner.
    pub(super) owner: String,
    pub(super) grants: Vec<Grant>,
}

/// The lists that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canned {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

/// Who owns the objects of a bucket, and whether they have ACLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ownership {
    /// The bucket's owner; no ACLs.
    #[default]
    #[serde(rename = "BucketOwnerEnforced")]
    Enforced,
    /// The bucket's owner, if the writer says so with `bucket-owner-full-control`.
    #[serde(rename = "BucketOwnerPreferred")]
    Preferred,
    /// Who wrote it.
    #[serde(rename = "ObjectWriter")]
    Writer,
}

impl Permission {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp, Self::FullControl];

    /// Reads S3's name.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::malformed(format!("permission {name:?} is not known"));
        Self::ALL.into_iter().find(|permission| permission.name() == name).ok_or_else(unknown)
    }

    /// S3's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }
}

impl Canned {
    const ALL: [Self; 6] = [
        Self::Private,
        Self::PublicRead,
        Self::PublicReadWrite,
        Self::AuthenticatedRead,
        Self::BucketOwnerRead,
        Self::BucketOwnerFullControl,
    ];

    /// Reads S3's name. `log-delivery-write` is refused: no logs are delivered.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        match Self::ALL.into_iter().find(|canned| canned.name() == name) {
            Some(canned) => Ok(canned),
            None if name == "log-delivery-write" => {
                Err(Refusal::not_implemented("access logs are not delivered to buckets"))
            }
            None => Err(Refusal::argument(format!("canned ACL {name:?} is not known"))),
        }
    }

    /// S3's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
        }
    }

    /// The list that it stands for. For a bucket both owners are the same, and the two that name the bucket's owner are
    /// private.
    pub(super) fn expand(self, owner: &str, bucket_owner: &str) -> Acl {
        let account = |id: &str| Grantee::Account(id.to_owned());
        let more = match self {
            Self::Private => vec![],
            Self::PublicRead => vec![(Grantee::AllUsers, Permission::Read)],
            Self::PublicReadWrite => {
                vec![(Grantee::AllUsers, Permission::Read), (Grantee::AllUsers, Permission::Write)]
            }
            Self::AuthenticatedRead => vec![(Grantee::AuthenticatedUsers, Permission::Read)],
            Self::BucketOwnerRead | Self::BucketOwnerFullControl if owner == bucket_owner => vec![],
            Self::BucketOwnerRead => vec![(account(bucket_owner), Permission::Read)],
            Self::BucketOwnerFullControl => vec![(account(bucket_owner), Permission::FullControl)],
        };
        let own = (account(owner), Permission::FullControl);
        let grants = std::iter::once(own).chain(more);
        let grants = grants.map(|(grantee, permission)| Grant { grantee, permission }).collect();
        Acl { owner: owner.to_owned(), grants }
    }
}

impl Acl {
    /// The list of explicit grants: those, and nothing for the owner that they do not name.
    pub(super) fn of_grants(owner: &str, grants: Vec<Grant>) -> Result<Self, Refusal> {
        if grants.len() > GRANTS_MAX {
            let message = format!("an ACL has at most {GRANTS_MAX} grants, not {}", grants.len());
            return Err(Refusal::new("MalformedACLError", message));
        }
        Ok(Self { owner: owner.to_owned(), grants })
    }

    /// The list that a request's headers ask for: a canned one, explicit grants, or by default the private one.
    pub(super) fn of_headers(
        canned: Option<Canned>,
        grants: Vec<Grant>,
        owner: &str,
        bucket_owner: &str,
    ) -> Result<Self, Refusal> {
        match canned {
            Some(_) if !grants.is_empty() => {
                Err(Refusal::request("send x-amz-acl or x-amz-grant-… headers, not both"))
            }
            None if !grants.is_empty() => Self::of_grants(owner, grants),
            canned => Ok(canned.unwrap_or(Canned::Private).expand(owner, bucket_owner)),
        }
    }

    /// Whether an account, or nobody known, may do this.
    pub(super) fn permits(&self, who: Option<&str>, permission: Permission) -> bool {
        let is_own_list = who == Some(self.owner.as_str())
            && matches!(permission, Permission::ReadAcp | Permission::WriteAcp);
        let grants = |grant: &Grant| {
            grant.grantee.is(who)
                && (grant.permission == permission || grant.permission == Permission::FullControl)
        };
        is_own_list || self.grants.iter().any(grants)
    }

    /// What it grants to accounts.
    #[must_use]
    pub(super) fn without_groups(mut self) -> Self {
        self.grants.retain(|grant| !grant.grantee.is_group());
        self
    }

    /// Whether it grants anything to a group: everybody, or everybody with an account.
    pub(super) fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_group())
    }
}

impl Ownership {
    const ALL: [Self; 3] = [Self::Enforced, Self::Preferred, Self::Writer];

    /// Reads S3's name.
    pub(super) fn parse(name: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::malformed(format!("object ownership {name:?} is not known"));
        Self::ALL.into_iter().find(|ownership| ownership.name() == name).ok_or_else(unknown)
    }

    /// S3's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enforced => "BucketOwnerEnforced",
            Self::Preferred => "BucketOwnerPreferred",
            Self::Writer => "ObjectWriter",
        }
    }

    /// Whether ACLs count.
    pub(super) fn has_acls(self) -> bool {
        self != Self::Enforced
    }

    /// Who owns a new object.
    pub(super) fn owner<'a>(self, writer: &'a str, bucket_owner: &'a str, canned: Option<Canned>) -> &'a str {
        match self {
            Self::Enforced => bucket_owner,
            Self::Preferred if canned == Some(Canned::BucketOwnerFullControl) => bucket_owner,
            Self::Preferred | Self::Writer => writer,
        }
    }

    /// Whether a new object may ask for this list. Where ACLs are off, it may ask for what it gets anyway.
    pub(super) fn check(self, canned: Option<Canned>, has_grants: bool) -> Result<(), Refusal> {
        let asks_for_nothing = matches!(canned, None | Some(Canned::BucketOwnerFullControl)) && !has_grants;
        if self.has_acls() || asks_for_nothing {
            return Ok(());
        }
        let message = "the bucket has no ACLs; send none, or bucket-owner-full-control, and use a policy";
        Err(Refusal::new("AccessControlListNotSupported", message))
    }

    /// Whether a bucket may have both this rule and this list. Where ACLs are off, the list grants to its owner alone.
    pub(super) fn check_bucket(self, acl: &Acl) -> Result<(), Refusal> {
        let owner = Some(acl.owner.as_str());
        let is_own = |grant: &Grant| !grant.grantee.is_group() && grant.grantee.is(owner);
        if self.has_acls() || acl.grants.iter().all(is_own) {
            return Ok(());
        }
        let message = "the bucket's ACL grants to others; set it to private before ACLs are switched off";
        Err(Refusal::new("InvalidBucketAclWithObjectOwnership", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> Grantee {
        Grantee::Account(id.into())
    }

    fn grant(grantee: Grantee, permission: Permission) -> Grant {
        Grant { grantee, permission }
    }

    /// What somebody may do, as the names of the permissions.
    fn permitted(acl: &Acl, who: Option<&str>) -> Vec<&'static str> {
        let permissions = Permission::ALL.into_iter().filter(|permission| acl.permits(who, *permission));
        permissions.map(Permission::name).collect()
    }

    #[test]
    fn a_canned_list_grants_what_its_name_says() {
        let full = ["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"];
        for (canned, nobody, stranger, bucket_owner) in [
            (Canned::Private, &[][..], &[][..], &[][..]),
            (Canned::PublicRead, &["READ"], &["READ"], &["READ"]),
            (Canned::PublicReadWrite, &["READ", "WRITE"], &["READ", "WRITE"], &["READ", "WRITE"]),
            (Canned::AuthenticatedRead, &[], &["READ"], &["READ"]),
            (Canned::BucketOwnerRead, &[], &[], &["READ"]),
            (Canned::BucketOwnerFullControl, &[], &[], &full),
        ] {
            let acl = canned.expand("writer", "bucket-owner");
            assert_eq!(permitted(&acl, None), nobody, "{canned:?}");
            assert_eq!(permitted(&acl, Some("stranger")), stranger, "{canned:?}");
            assert_eq!(permitted(&acl, Some("bucket-owner")), bucket_owner, "{canned:?}");
            assert_eq!(permitted(&acl, Some("writer")), full, "{canned:?}");
        }
    }

    #[test]
    fn an_owner_of_both_is_granted_once() {
        for canned in [Canned::BucketOwnerRead, Canned::BucketOwnerFullControl] {
            assert_eq!(canned.expand("a", "a"), Canned::Private.expand("a", "a"));
        }
    }

    #[test]
    fn an_owner_without_grants_keeps_the_list_and_nothing_else() {
        let acl = Acl::of_grants("owner", vec![]).unwrap();
        assert_eq!(permitted(&acl, Some("owner")), ["READ_ACP", "WRITE_ACP"]);
        assert!(permitted(&acl, None).is_empty());
    }

    #[test]
    fn a_list_is_public_if_a_group_has_any_grant() {
        for canned in Canned::ALL {
            let expected =
                matches!(canned, Canned::PublicRead | Canned::PublicReadWrite | Canned::AuthenticatedRead);
            assert_eq!(canned.expand("a", "b").is_public(), expected, "{canned:?}");
        }
        let acl = Acl::of_grants("a", vec![grant(Grantee::AllUsers, Permission::ReadAcp)]).unwrap();
        assert!(acl.is_public());
    }

    #[test]
    fn headers_ask_for_a_canned_list_or_for_grants() {
        let grants = || vec![grant(account("b"), Permission::Read)];
        let of = |canned, grants| Acl::of_headers(canned, grants, "a", "o");
        assert_eq!(of(None, vec![]).unwrap(), Canned::Private.expand("a", "o"));
        assert_eq!(of(Some(Canned::PublicRead), vec![]).unwrap(), Canned::PublicRead.expand("a", "o"));
        assert_eq!(of(None, grants()).unwrap(), Acl { owner: "a".into(), grants: grants() });
        assert_eq!(of(Some(Canned::Private), grants()).unwrap_err().code, "InvalidRequest");
        let many = |count| vec![grant(account("b"), Permission::Read); count];
        assert!(of(None, many(100)).is_ok());
        assert_eq!(of(None, many(101)).unwrap_err().code, "MalformedACLError");
    }

    #[test]
    fn names_are_read_as_s3_writes_them() {
        for canned in Canned::ALL {
            assert_eq!(Canned::parse(canned.name()), Ok(canned));
        }
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.name()), Ok(permission));
        }
        for ownership in Ownership::ALL {
            assert_eq!(Ownership::parse(ownership.name()), Ok(ownership));
        }
        assert_eq!(Canned::parse("log-delivery-write").unwrap_err().code, "NotImplemented");
        assert_eq!(Canned::parse("Private").unwrap_err().code, "InvalidArgument");
        assert_eq!(Permission::parse("read").unwrap_err().code, "MalformedXML");
        assert_eq!(Ownership::parse("Mine").unwrap_err().code, "MalformedXML");
    }

    #[test]
    fn ownership_decides_who_owns_a_new_object() {
        let owner = |ownership: Ownership, canned| ownership.owner("writer", "bucket", canned);
        let full = Some(Canned::BucketOwnerFullControl);
        assert_eq!(owner(Ownership::default(), None), "bucket");
        assert_eq!(owner(Ownership::Preferred, None), "writer");
        assert_eq!(owner(Ownership::Preferred, full), "bucket");
        assert_eq!(owner(Ownership::Writer, full), "writer");
    }

    #[test]
    fn without_acls_an_object_asks_for_none() {
        let code = |ownership: Ownership, canned, grants| {
            ownership.check(canned, grants).err().map(|refusal| refusal.code)
        };
        let refused = Some("AccessControlListNotSupported");
        assert_eq!(code(Ownership::Enforced, None, false), None);
        assert_eq!(code(Ownership::Enforced, Some(Canned::BucketOwnerFullControl), false), None);
        assert_eq!(code(Ownership::Enforced, Some(Canned::PublicRead), false), refused);
        assert_eq!(code(Ownership::Enforced, None, true), refused);
        assert_eq!(code(Ownership::Writer, Some(Canned::PublicRead), false), None);
    }

    #[test]
    fn acls_are_switched_off_when_the_bucket_grants_to_its_owner_alone() {
        let code = |canned: Canned| {
            let checked = Ownership::Enforced.check_bucket(&canned.expand("a", "a"));
            checked.err().map(|refusal| refusal.code)
        };
        assert_eq!(code(Canned::Private), None);
        assert_eq!(code(Canned::AuthenticatedRead), Some("InvalidBucketAclWithObjectOwnership"));
        assert_eq!(Ownership::Writer.check_bucket(&Canned::PublicRead.expand("a", "a")), Ok(()));
    }

    #[test]
    fn a_stored_list_reads_back_the_same() {
        let acl = Canned::PublicRead.expand("a", "b");
        let stored = serde_json::to_string(&acl).unwrap();
        let expected = concat!(
            r#"{"owner":"a","grants":[{"grantee":{"account":"a"},"permission":"FULL_CONTROL"},"#,
            r#"{"grantee":"all_users","permission":"READ"}]}"#
        );
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_str::<Acl>(&stored).unwrap(), acl);
        assert_eq!(serde_json::to_string(&Ownership::Writer).unwrap(), r#""ObjectWriter""#);
    }
}
