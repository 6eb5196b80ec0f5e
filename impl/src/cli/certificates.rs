//! The certificates of a cluster: one authority, and for each site one that carries its name.

use crate::env::tls::name_of;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use std::time::Duration;

/// How long the authority lasts.
const AUTHORITY_LASTS: Duration = Duration::from_hours(24 * 3650);

/// A certificate and its private key, as PEM.
pub(super) struct Pair {
    pub(super) cert: String,
    pub(super) key: String,
}

fn validity(params: &mut CertificateParams, lasts: Duration) {
    let now = std::time::SystemTime::now();
    // Clocks of sites differ; a certificate made a moment ago must not be of the future elsewhere.
    params.not_before = (now - Duration::from_hours(24)).into();
    params.not_after = (now + lasts).into();
}

fn authority_params(cluster: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Anabranch cluster {cluster}"));
    params
}

/// A new authority for a cluster.
pub(super) fn authority(cluster: &str) -> Result<Pair, rcgen::Error> {
    let mut params = authority_params(cluster);
    validity(&mut params, AUTHORITY_LASTS);
    let key = KeyPair::generate()?;
    Ok(Pair { cert: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// A site's certificate, signed by its cluster's authority, whose private key this is.
pub(super) fn site(
    authority_key: &str,
    cluster: &str,
    site: &str,
    lasts: Duration,
) -> Result<Pair, rcgen::Error> {
    let issuer = Issuer::new(authority_params(cluster), KeyPair::from_pem(authority_key)?);
    let name = name_of(site, cluster);
    let mut params = CertificateParams::new(vec![name.clone()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, lasts);
    let key = KeyPair::generate()?;
    Ok(Pair { cert: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
}
