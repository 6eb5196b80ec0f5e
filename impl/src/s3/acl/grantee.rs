//! Who a grant is for, and how requests name them: by id, by a group's URI, or by an e-mail address.
//!
//! Invariant: a grantee exists when it is granted something; an address is turned into its account then, and not kept.
//! Source: Amazon S3 User Guide, "Access control list (ACL) overview", "Who is a grantee?".

use super::{Grant, Permission, Refusal};
use serde::{Deserialize, Serialize};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// Who a grant is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Grantee {
    Account(String),
    /// Everybody, signed or not.
    AllUsers,
    /// Everybody who signs.
    AuthenticatedUsers,
}

/// What the site knows of accounts.
#[derive(Clone, Copy)]
pub(in super::super) struct Accounts<'a> {
    /// Whether there is an account of this id.
    pub(in super::super) exists: &'a dyn Fn(&str) -> bool,
    /// The id of the account with this e-mail address.
    pub(in super::super) by_email: &'a dyn Fn(&str) -> Option<String>,
}

impl Grantee {
    /// A `CanonicalUser`.
    pub(in super::super) fn of_id(id: &str, accounts: Accounts<'_>) -> Result<Self, Refusal> {
        if (accounts.exists)(id) {
            return Ok(Self::Account(id.to_owned()));
        }
        Err(Refusal::argument(format!("there is no account {id:?} to grant to")))
    }

    /// A `Group`.
    pub(in super::super) fn of_uri(uri: &str) -> Result<Self, Refusal> {
        match uri {
            ALL_USERS => Ok(Self::AllUsers),
            AUTHENTICATED_USERS => Ok(Self::AuthenticatedUsers),
            LOG_DELIVERY => Err(Refusal::not_implemented("access logs are not delivered to buckets")),
            _ => Err(Refusal::argument(format!("group {uri:?} is not known"))),
        }
    }

    /// An `AmazonCustomerByEmail`.
    pub(in super::super) fn of_email(address: &str, accounts: Accounts<'_>) -> Result<Self, Refusal> {
        let unknown = || {
            let message = format!("no account has the e-mail address {address:?}");
            Refusal::new("UnresolvableGrantByEmailAddress", message)
        };
        (accounts.by_email)(address).map(Self::Account).ok_or_else(unknown)
    }

    /// The URI of a group.
    pub(in super::super) fn uri(&self) -> Option<&'static str> {
        match self {
            Self::Account(_) => None,
            Self::AllUsers => Some(ALL_USERS),
            Self::AuthenticatedUsers => Some(AUTHENTICATED_USERS),
        }
    }

    pub(super) fn is_group(&self) -> bool {
        self.uri().is_some()
    }

    /// Whether an account, or nobody known, is meant.
    pub(super) fn is(&self, who: Option<&str>) -> bool {
        match self {
            Self::Account(account) => who == Some(account.as_str()),
            Self::AllUsers => true,
            Self::AuthenticatedUsers => who.is_some(),
        }
    }
}

/// The grants of one `x-amz-grant-…` header: `id="…", uri="…", emailAddress="…"`, with or without the quotes.
pub(in super::super) fn parse_header(
    permission: Permission,
    value: &str,
    accounts: Accounts<'_>,
) -> Result<Vec<Grant>, Refusal> {
    let parse = |part: &str| {
        let (kind, name) = part.split_once('=').unwrap_or((part, ""));
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        let grantee = match kind.trim().to_ascii_lowercase().as_str() {
            "id" => Grantee::of_id(name, accounts)?,
            "uri" => Grantee::of_uri(name)?,
            "emailaddress" => Grantee::of_email(name, accounts)?,
            _ => {
                let known = r#"id="…", uri="…" or emailAddress="…""#;
                return Err(Refusal::argument(format!("{:?} names no grantee; use {known}", part.trim())));
            }
        };
        Ok(Grant { grantee, permission })
    };
    value.split(',').map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Vec<Grantee>, Refusal> {
        let accounts = Accounts {
            exists: &|id| ["alice", "bob"].contains(&id),
            by_email: &|address| (address == "bob@example.com").then(|| "bob".to_owned()),
        };
        let grants = parse_header(Permission::Read, value, accounts)?;
        assert!(grants.iter().all(|grant| grant.permission == Permission::Read));
        Ok(grants.into_iter().map(|grant| grant.grantee).collect())
    }

    #[test]
    fn a_header_names_ids_groups_and_addresses() {
        let all = format!(r#"id="alice", uri="{ALL_USERS}",emailAddress="bob@example.com""#);
        let bob = Grantee::Account("bob".into());
        let expected = vec![Grantee::Account("alice".into()), Grantee::AllUsers, bob.clone()];
        assert_eq!(parse(&all).unwrap(), expected);
        assert_eq!(parse("id=bob").unwrap(), [bob], "quotes may lack");
        assert_eq!(parse(&format!("URI={AUTHENTICATED_USERS}")).unwrap(), [Grantee::AuthenticatedUsers]);
    }

    #[test]
    fn grantees_that_are_not_there_are_refused() {
        for (value, code) in [
            (r#"id="eve""#, "InvalidArgument"),
            (r#"uri="http://example.com""#, "InvalidArgument"),
            (r#"emailAddress="eve@example.com""#, "UnresolvableGrantByEmailAddress"),
            (r#"name="alice""#, "InvalidArgument"),
            ("alice", "InvalidArgument"),
            ("", "InvalidArgument"),
            ("id=alice,", "InvalidArgument"),
        ] {
            assert_eq!(parse(value).unwrap_err().code, code, "{value}");
        }
        assert_eq!(parse(&format!("uri={LOG_DELIVERY}")).unwrap_err().code, "NotImplemented");
    }

    #[test]
    fn a_group_is_named_by_its_uri() {
        for group in [Grantee::AllUsers, Grantee::AuthenticatedUsers] {
            assert_eq!(Grantee::of_uri(group.uri().unwrap()), Ok(group));
        }
        assert_eq!(Grantee::Account("a".into()).uri(), None);
    }
}
