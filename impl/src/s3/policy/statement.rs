//! One statement of a policy: who may, or may not, do what to what, and when.
//!
//! Invariants: a resource can be of the policy's own bucket; an `Allow` names its principals, never all but some; an
//! account or a user is named in full, so that whom a statement means does not change when users are added.
//! Source: Amazon S3 User Guide, "Policies and permissions in Amazon S3"; IAM User Guide, "IAM JSON policy elements".

use super::{
    PolicyError, Principal, Request,
    condition::{self, Condition},
    document::{Fields, Node, field},
    pattern::Pattern,
};

/// The elements of a statement.
const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// What holds for a whole policy, and decides how its statements are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) bucket: &'a str,
    /// Whether AWS would expand `${…}`.
    pub(super) has_variables: bool,
}

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    principals: Choice<Who>,
    actions: Choice<Pattern>,
    resources: Choice<Pattern>,
    conditions: Vec<Condition>,
}

/// An element or its `Not…` form.
#[derive(Clone, Debug)]
enum Choice<T> {
    AnyOf(Vec<T>),
    AllBut(Vec<T>),
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Anyone,
    Account(String),
    /// An access key of an account: users have no other name here.
    User {
        account: String,
        user: String,
    },
    /// A service or a federated user of AWS: nobody who asks here.
    Absent,
}

impl Statement {
    pub(super) fn parse(node: &Node, at: &str, context: Context<'_>) -> Result<Self, PolicyError> {
        let fields = node.fields_of(at, &ELEMENTS)?;
        if let Some(sid) = field(fields, "Sid") {
            sid.text(&format!("{at}.Sid"))?;
        }
        let effect = parse_effect(fields, at)?;
        let principals = Choice::parse(fields, at, "Principal", parse_principals)?;
        if effect == Effect::Allow && matches!(principals, Choice::AllBut(_)) {
            return Err(PolicyError::at(
                at,
                "Allow with NotPrincipal would include strangers; name a Principal",
            ));
        }
        let actions = Choice::parse(fields, at, "Action", parse_actions)?;
        let resources = Choice::parse(fields, at, "Resource", |node, at| parse_resources(node, at, context))?;
        let conditions = match field(fields, "Condition") {
            Some(node) => condition::parse_all(node, &format!("{at}.Condition"), context.has_variables)?,
            None => vec![],
        };
        Ok(Self { effect, principals, actions, resources, conditions })
    }

    /// Whether it speaks of a request, whose action is in lower case.
    pub(super) fn applies(&self, request: &Request<'_>) -> bool {
        self.actions.admits(|actions| actions.matches(request.action))
            && self.resources.admits(|resources| resources.matches(request.resource))
            && self.principals.admits(|who| who.is(request.principal))
            && self.conditions.iter().all(|condition| condition.holds(request.values))
    }

    /// Whether it lets strangers in.
    pub(super) fn is_public(&self) -> bool {
        let names_anyone = matches!(&self.principals, Choice::AnyOf(whom) if whom.contains(&Who::Anyone));
        self.effect == Effect::Allow && names_anyone && !self.conditions.iter().any(Condition::restricts)
    }
}

impl<T> Choice<T> {
    fn parse(
        fields: &Fields,
        at: &str,
        name: &str,
        parse: impl Fn(&Node, &str) -> Result<Vec<T>, PolicyError>,
    ) -> Result<Self, PolicyError> {
        let negation = format!("Not{name}");
        match (field(fields, name), field(fields, &negation)) {
            (Some(node), None) => Ok(Self::AnyOf(parse(node, &format!("{at}.{name}"))?)),
            (None, Some(node)) => Ok(Self::AllBut(parse(node, &format!("{at}.{negation}"))?)),
            (None, None) => Err(PolicyError::at(at, format!("{name} is missing"))),
            (Some(_), Some(_)) => {
                Err(PolicyError::at(at, format!("{name} and {negation} exclude each other; give one")))
            }
        }
    }

    fn admits(&self, fits: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::AnyOf(all) => all.iter().any(fits),
            Self::AllBut(all) => !all.iter().any(fits),
        }
    }
}

impl Who {
    /// Whether a caller is meant. An account stands for every user of it.
    fn is(&self, caller: Option<Principal<'_>>) -> bool {
        match (self, caller) {
            (Self::Anyone, _) => true,
            (Self::Account(account), Some(caller)) => account == caller.account,
            (Self::User { account, user }, Some(caller)) => account == caller.account && user == caller.user,
            (Self::Absent, _) | (_, None) => false,
        }
    }

    /// Reads `*`, an account's id, or the ARN of an account or a user.
    fn parse(text: &str, at: &str) -> Result<Self, PolicyError> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['*', '?', ':']);
        if text == "*" {
            return Ok(Self::Anyone);
        }
        let parts: Vec<_> = text.splitn(6, ':').collect();
        match parts[..] {
            [account] if is_name(account) && !account.contains('/') => Ok(Self::Account(account.into())),
            ["arn", "aws", "iam", "", account, "root"] if is_name(account) => {
                Ok(Self::Account(account.into()))
            }
            ["arn", "aws", "iam", "", account, user] if is_name(account) => {
                match user.strip_prefix("user/").filter(|user| is_name(user)) {
                    Some(user) => Ok(Self::User { account: account.into(), user: user.into() }),
                    None => Err(invalid_principal(text, at)),
                }
            }
            _ => Err(invalid_principal(text, at)),
        }
    }
}

fn invalid_principal(text: &str, at: &str) -> PolicyError {
    let known = "*, an account's id, arn:aws:iam::ACCOUNT:root or arn:aws:iam::ACCOUNT:user/NAME";
    PolicyError::at(at, format!("invalid principal {text:?}; use {known}"))
}

fn parse_effect(fields: &Fields, at: &str) -> Result<Effect, PolicyError> {
    let Some(node) = field(fields, "Effect") else {
        return Err(PolicyError::at(at, "Effect is missing"));
    };
    let at = format!("{at}.Effect");
    match node.text(&at)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(PolicyError::at(&at, format!("{other:?} is neither Allow nor Deny"))),
    }
}

fn parse_principals(node: &Node, at: &str) -> Result<Vec<Who>, PolicyError> {
    match node {
        Node::Text(text) if text == "*" => Ok(vec![Who::Anyone]),
        Node::Text(text) => Err(PolicyError::at(at, format!("write {text:?} as {{\"AWS\": {text:?}}}"))),
        _ => {
            let kinds = node.fields_of(at, &["AWS", "CanonicalUser", "Federated", "Service"])?;
            if kinds.is_empty() {
                return Err(PolicyError::at(at, "it names nobody; write {\"AWS\": …}"));
            }
            let mut all = Vec::new();
            for (kind, names) in kinds {
                let at = format!("{at}.{kind}");
                for text in names.texts(&at)? {
                    all.push(match kind.as_str() {
                        "AWS" => Who::parse(text, &at)?,
                        "CanonicalUser" => Who::Account(text.to_owned()),
                        _ => Who::Absent,
                    });
                }
            }
            Ok(all)
        }
    }
}

/// Actions are kept in lower case: their case does not matter.
fn parse_actions(node: &Node, at: &str) -> Result<Vec<Pattern>, PolicyError> {
    let parse = |text: &str| {
        let text = text.to_ascii_lowercase();
        let is_action = text == "*" || text.strip_prefix("s3:").is_some_and(|name| !name.is_empty());
        is_action
            .then(|| Pattern::new(&text))
            .ok_or_else(|| PolicyError::at(at, format!("invalid action {text:?}; an action begins with s3:")))
    };
    node.texts(at)?.into_iter().map(parse).collect()
}

/// Resources are kept without what comes before the bucket's name.
fn parse_resources(node: &Node, at: &str, context: Context<'_>) -> Result<Vec<Pattern>, PolicyError> {
    let bucket = context.bucket;
    let parse = |text: &str| {
        if context.has_variables && text.contains("${") {
            return Err(PolicyError::variable(at));
        }
        let pattern = path_of(text).map(Pattern::new);
        pattern.filter(|path| path.matches(bucket) || path.may_start_with(&format!("{bucket}/"))).ok_or_else(
            || {
                let wanted = format!("arn:aws:s3:::{bucket} or arn:aws:s3:::{bucket}/*");
                PolicyError::at(at, format!("invalid resource {text:?}; use {wanted}"))
            },
        )
    };
    node.texts(at)?.into_iter().map(parse).collect()
}

/// What an ARN of S3 names: `bucket` or `bucket/key`. Region and account are empty, or `*` for those who use tenants.
fn path_of(text: &str) -> Option<&str> {
    if text == "*" {
        return Some(text);
    }
    let parts: Vec<_> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", "aws", "s3", "" | "*", "" | "*", path] => Some(path),
        _ => None,
    }
}
