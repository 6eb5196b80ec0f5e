//! The conditions of a statement: what must be true of a request for the statement to apply.
//!
//! A condition names an operator, a key of the request's context, and values. The values are alternatives; all
//! conditions must hold. A request that lacks the key fails an operator, but fits its `Not…` form and `…IfExists`.
//!
//! Invariants: values are of the operator's kind, checked when the policy is put; a request's value that is not of that
//! kind fits none of them. An unknown operator is refused, never ignored: ignoring it would widen what is allowed.
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".

use super::{PolicyError, address::Network, document::Node, pattern::Pattern};
use std::cmp::Ordering;

use super::super::{context, date};

/// Keys whose fixed value keeps the public out.
const RESTRICTING: [&str; 12] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

/// One operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// In lower case up to its first `/`; the name of a tag follows as it was written.
    key: String,
    quantifier: Quantifier,
    /// Whether a request without the key fits.
    if_exists: bool,
    negated: bool,
    operands: Operands,
}

/// How many of a request's values must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: one value, or all for a negated operator.
    Plain,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Folded,
    Like,
    Arn,
    Address,
    Flag,
    Number(Comparison),
    Date(Comparison),
    Absence,
}

/// How a request's value must stand to the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The operators: name, what it compares, and whether it is a negation.
const OPERATORS: [(&str, Kind, bool); 26] = [
    ("StringEquals", Kind::Text, false),
    ("StringNotEquals", Kind::Text, true),
    ("StringEqualsIgnoreCase", Kind::Folded, false),
    ("StringNotEqualsIgnoreCase", Kind::Folded, true),
    ("StringLike", Kind::Like, false),
    ("StringNotLike", Kind::Like, true),
    ("ArnEquals", Kind::Arn, false),
    ("ArnNotEquals", Kind::Arn, true),
    ("ArnLike", Kind::Arn, false),
    ("ArnNotLike", Kind::Arn, true),
    ("IpAddress", Kind::Address, false),
    ("NotIpAddress", Kind::Address, true),
    ("Bool", Kind::Flag, false),
    ("NumericEquals", Kind::Number(Comparison::Equal), false),
    ("NumericNotEquals", Kind::Number(Comparison::Equal), true),
    ("NumericLessThan", Kind::Number(Comparison::Less), false),
    ("NumericLessThanEquals", Kind::Number(Comparison::LessOrEqual), false),
    ("NumericGreaterThan", Kind::Number(Comparison::Greater), false),
    ("NumericGreaterThanEquals", Kind::Number(Comparison::GreaterOrEqual), false),
    ("DateEquals", Kind::Date(Comparison::Equal), false),
    ("DateNotEquals", Kind::Date(Comparison::Equal), true),
    ("DateLessThan", Kind::Date(Comparison::Less), false),
    ("DateLessThanEquals", Kind::Date(Comparison::LessOrEqual), false),
    ("DateGreaterThan", Kind::Date(Comparison::Greater), false),
    ("DateGreaterThanEquals", Kind::Date(Comparison::GreaterOrEqual), false),
    ("Null", Kind::Absence, false),
];

/// An operator's values, each of which may fit.
#[derive(Clone, Debug)]
enum Operands {
    Text(Vec<String>),
    /// In lower case.
    Folded(Vec<String>),
    Like(Vec<Pattern>),
    Arn(Vec<[Pattern; 6]>),
    Address(Vec<Network>),
    Flag(Vec<bool>),
    Number(Comparison, Vec<f64>),
    Date(Comparison, Vec<i64>),
    /// Whether the key must be absent.
    Absence(bool),
}

/// Parses the element `Condition`. With `variables`, AWS would expand `${…}`, which is refused here.
pub(super) fn parse_all(node: &Node, at: &str, variables: bool) -> Result<Vec<Condition>, PolicyError> {
    let mut conditions = Vec::new();
    for (operator, keys) in node.fields(at)? {
        let at = format!("{at}.{operator}");
        for (key, values) in keys.fields(&at)? {
            conditions.push(Condition::parse(operator, key, values, &format!("{at}.{key}"), variables)?);
        }
    }
    Ok(conditions)
}

impl Condition {
    fn parse(
        operator: &str,
        key: &str,
        values: &Node,
        at: &str,
        variables: bool,
    ) -> Result<Self, PolicyError> {
        let (name, quantifier) = match operator.split_once(':') {
            None => (operator, Quantifier::Plain),
            Some(("ForAnyValue", name)) => (name, Quantifier::Any),
            Some(("ForAllValues", name)) => (name, Quantifier::All),
            Some(_) => return Err(PolicyError::at(at, "the prefix is ForAnyValue: or ForAllValues:")),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(&(_, kind, negated)) = OPERATORS.iter().find(|(known, ..)| *known == name) else {
            return Err(PolicyError::at(at, format!("operator {operator} is not known")));
        };
        if kind == Kind::Absence && (if_exists || quantifier != Quantifier::Plain) {
            return Err(PolicyError::at(at, "Null takes neither IfExists nor a prefix"));
        }
        let values = values.scalars(at)?;
        if variables && values.iter().any(|value| value.contains("${")) {
            return Err(PolicyError::variable(at));
        }
        let operands = Operands::parse(kind, &values).map_err(|reason| PolicyError::at(at, reason))?;
        Ok(Self { key: parse_key(key, at)?, quantifier, if_exists, negated, operands })
    }

    /// Whether a request fits; `values` tells what it has for a key.
    pub(super) fn holds(&self, values: &dyn Fn(&str) -> Vec<String>) -> bool {
        let found = values(&self.key);
        if let Operands::Absence(wanted) = self.operands {
            return found.is_empty() == wanted;
        }
        let fits = |value: &String| self.operands.fit(value) != self.negated;
        match self.quantifier {
            _ if found.is_empty() && self.if_exists => true,
            Quantifier::Plain if self.negated => found.iter().all(fits),
            Quantifier::Plain | Quantifier::Any => found.iter().any(fits),
            Quantifier::All => found.iter().all(fits),
        }
    }

    /// Whether it keeps the public out: it holds only for fixed values of a key that the public cannot choose.
    pub(super) fn restricts(&self) -> bool {
        let holds_without_key = self.if_exists || self.negated || self.quantifier == Quantifier::All;
        if holds_without_key {
            return false;
        }
        let is_restricting = RESTRICTING.contains(&self.key.as_str());
        match &self.operands {
            Operands::Address(networks) => {
                self.key == "aws:sourceip" && !networks.iter().any(Network::is_public)
            }
            Operands::Text(_) | Operands::Folded(_) => is_restricting,
            Operands::Like(patterns) => is_restricting && !patterns.iter().any(Pattern::is_open),
            Operands::Arn(arns) => is_restricting && !arns.iter().flatten().any(Pattern::is_open),
            _ => false,
        }
    }
}

/// A key of the request's context. Its case does not matter, but for the name of a tag.
fn parse_key(key: &str, at: &str) -> Result<String, PolicyError> {
    let (name, tag) = key.split_at(key.find('/').unwrap_or(key.len()));
    let name = name.to_ascii_lowercase();
    let key = name + tag;
    // A condition on something that is never told would not hold, and a denial with it never deny.
    if !context::is_known(&key) {
        return Err(PolicyError::at(at, "the condition key is not known here"));
    }
    Ok(key)
}

impl Operands {
    fn parse(kind: Kind, values: &[&str]) -> Result<Self, String> {
        Ok(match kind {
            Kind::Text => Self::Text(values.iter().map(ToString::to_string).collect()),
            Kind::Folded => Self::Folded(values.iter().map(|value| value.to_lowercase()).collect()),
            Kind::Like => Self::Like(values.iter().map(|value| Pattern::new(value)).collect()),
            Kind::Arn => Self::Arn(each(values, parse_arn, "an ARN of six parts, arn:aws:s3:::bucket")?),
            Kind::Address => {
                Self::Address(each(values, Network::parse, "an address or network, 192.0.2.0/24")?)
            }
            Kind::Flag => Self::Flag(each(values, parse_flag, "true or false")?),
            Kind::Number(comparison) => Self::Number(comparison, each(values, parse_number, "a number")?),
            Kind::Date(comparison) => Self::Date(
                comparison,
                each(values, parse_date, "a date, 2026-11-23T10:15:00Z or Unix seconds")?,
            ),
            Kind::Absence => match each(values, parse_flag, "true or false")?[..] {
                [wanted] => Self::Absence(wanted),
                _ => return Err("expected one value, true or false".into()),
            },
        })
    }

    /// Whether a request's value fits one of these.
    fn fit(&self, found: &str) -> bool {
        match self {
            Self::Text(wanted) => wanted.iter().any(|wanted| wanted == found),
            Self::Folded(wanted) => wanted.contains(&found.to_lowercase()),
            Self::Like(wanted) => wanted.iter().any(|wanted| wanted.matches(found)),
            Self::Arn(wanted) => {
                let parts: Vec<_> = found.splitn(6, ':').collect();
                let fits = |wanted: &[Pattern; 6]| {
                    parts.len() == 6 && wanted.iter().zip(&parts).all(|(wanted, found)| wanted.matches(found))
                };
                wanted.iter().any(fits)
            }
            Self::Address(wanted) => wanted.iter().any(|wanted| wanted.contains(found)),
            Self::Flag(wanted) => parse_flag(found).is_some_and(|found| wanted.contains(&found)),
            Self::Number(comparison, wanted) => parse_number(found).is_some_and(|found| {
                wanted.iter().any(|wanted| comparison.admits(found.partial_cmp(wanted)))
            }),
            Self::Date(comparison, wanted) => parse_date(found)
                .is_some_and(|found| wanted.iter().any(|wanted| comparison.admits(Some(found.cmp(wanted))))),
            Self::Absence(_) => unreachable!("absence is decided before values are compared"),
        }
    }
}

impl Comparison {
    fn admits(self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}

fn each<T>(values: &[&str], parse: impl Fn(&str) -> Option<T>, wanted: &str) -> Result<Vec<T>, String> {
    let one = |value: &&str| parse(value).ok_or_else(|| format!("{value:?} is not {wanted}"));
    values.iter().map(one).collect()
}

fn parse_flag(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Milliseconds of a date or of Unix seconds.
fn parse_date(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(seconds) => seconds.checked_mul(1000),
        Err(_) => date::parse_ms(text),
    }
}

/// ARNs are compared part by part, so that a `*` does not reach over a colon.
fn parse_arn(text: &str) -> Option<[Pattern; 6]> {
    let parts: Vec<_> = text.splitn(6, ':').map(Pattern::new).collect();
    parts.try_into().ok()
}

#[cfg(test)]
mod tests;
