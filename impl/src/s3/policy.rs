//! Bucket policies: what the owner of a bucket lets others do, or forbids everyone, in AWS's policy language.
//!
//! The subset that Terraform and Ceph's tests write: principals are accounts and users, resources are the bucket and its
//! objects, conditions compare what the request carries. What is not understood is refused when the policy is put, never
//! skipped: a statement that is half understood protects less than its author thinks.
//!
//! Invariants: a denial beats every permission; without a
//! statement that applies there is no decision, and ownership or an ACL decides.
//! Parts: `document` (JSON), `statement`, `condition`, `pattern` (wildcards), `address` (networks).
//! Source: Amazon S3 User Guide, "Policies and permissions in Amazon S3" and "Blocking public access: the meaning of
//! public"; IAM User Guide, "Policy evaluation logic".

mod address;
mod condition;
mod document;
mod pattern;
mod statement;

use super::refusal::Refusal;
use document::{Node, field};
use statement::{Context, Effect, Statement};

/// Most bytes of a policy: 20 KiB, as S3 has it.
const SIZE_MAX: usize = 20 * 1024;

/// The version in which AWS expands policy variables, and the one before, which a policy without a version is of.
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

/// A bucket's policy.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    bucket: String,
    statements: Vec<Statement>,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Principal<'a> {
    pub(super) account: &'a str,
    pub(super) user: &'a str,
}

/// What a policy is asked about.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// Nobody, if the request is not signed.
    pub(super) principal: Option<Principal<'a>>,
    /// As in `s3:GetObject`.
    pub(super) action: &'a str,
    /// `bucket` or `bucket/key`.
    pub(super) resource: &'a str,
    /// The request's values for a context key, none if it lacks the key. The key comes in lower case up to its first
    /// `/`, with the name of a tag after it as the policy writes it: `s3:prefix`, `s3:existingobjecttag/Security`.
    pub(super) values: &'a dyn Fn(&str) -> Vec<String>,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// A statement allows it, and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement applies.
    None,
}

/// Why a text is no policy. To be fixed by whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PolicyError {
    /// It is too long.
    #[error("the policy has {size} bytes, {SIZE_MAX} are the most; merge statements or use wildcards")]
    TooLarge {
        /// Its length.
        size: usize,
    },
    /// It does not parse.
    #[error("the policy is not valid JSON at line {line}, column {column}: {reason}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// It parses, and an element is wrong.
    #[error("{at}: {reason}")]
    Element {
        /// The path of the element, as in `Statement[0].Action`.
        at: String,
        /// What is wrong and what to write.
        reason: String,
    },
}

impl PolicyError {
    fn at(at: &str, reason: impl Into<String>) -> Self {
        Self::Element { at: at.to_owned(), reason: reason.into() }
    }

    fn variable(at: &str) -> Self {
        Self::at(at, "policy variables (${…}) are not supported; write the values out")
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        Self::new("MalformedPolicy", error.to_string())
    }
}

impl Policy {
    /// Reads a policy that is put on `bucket`.
    pub(super) fn parse(text: &str, bucket: &str) -> Result<Self, PolicyError> {
        assert!(
            !bucket.is_empty() && !bucket.contains('/'),
            "a bucket's name is one segment, got {bucket:?}"
        );
        if text.len() > SIZE_MAX {
            return Err(PolicyError::TooLarge { size: text.len() });
        }
        let document = Node::parse(text)?;
        let fields = document.fields_of("policy", &["Version", "Id", "Statement"])?;
        let version = match field(fields, "Version") {
            Some(version) => version.text("Version")?,
            None => VERSIONS[1],
        };
        if !VERSIONS.contains(&version) {
            return Err(PolicyError::at(
                "Version",
                format!("{version:?} is not one of {}", VERSIONS.join(", ")),
            ));
        }
        if let Some(id) = field(fields, "Id") {
            id.text("Id")?;
        }
        let Some(statements) = field(fields, "Statement") else {
            return Err(PolicyError::at("policy", "Statement is missing"));
        };
        let context = Context { bucket, has_variables: version == VERSIONS[0] };
        let numbered = statements.items("Statement")?.iter().enumerate();
        let statements = numbered
            .map(|(index, node)| Statement::parse(node, &format!("Statement[{index}]"), context))
            .collect::<Result<_, _>>()?;
        Ok(Self { bucket: bucket.to_owned(), statements })
    }

    /// What it says of a request to its bucket.
    pub(super) fn decide(&self, request: &Request<'_>) -> Decision {
        let rest = request.resource.strip_prefix(self.bucket.as_str());
        assert!(
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            "the policy of {} is asked about {}",
            self.bucket,
            request.resource
        );
        // Actions have no case; patterns are in lower case.
        let action = request.action.to_ascii_lowercase();
        let request = Request { action: &action, ..*request };
        let mut decision = Decision::None;
        for statement in self.statements.iter().filter(|statement| statement.applies(&request)) {
            match statement.effect {
                Effect::Deny => return Decision::Deny,
                Effect::Allow => decision = Decision::Allow,
            }
        }
        decision
    }

    /// Whether it lets strangers in, as `GetBucketPolicyStatus` tells and `BlockPublicPolicy` refuses. Denials do not
    /// count: AWS looks at each permission alone.
    pub(super) fn is_public(&self) -> bool {
        self.statements.iter().any(Statement::is_public)
    }
}

#[cfg(test)]
mod tests;
