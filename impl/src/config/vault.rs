//! Secrets of access keys, sealed under the cluster's key: a disk, a backup or a stolen log shows none.
//!
//! AES-256-GCM with a nonce drawn for each, bound to the key's id: a secret moved to another id does not open.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Seals and opens with one cluster's key.
#[derive(Clone)]
pub struct Vault(std::sync::Arc<LessSafeKey>);

impl Vault {
    /// With the cluster's key.
    pub fn new(cluster_key: &str) -> Self {
        let key = blake3::derive_key("anabranch 2026 secrets of access keys", cluster_key.as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("the key has 32 bytes");
        Self(std::sync::Arc::new(LessSafeKey::new(key)))
    }

    /// Seals the secret of an access key.
    pub fn seal(&self, id: &str, secret: &str) -> String {
        let mut nonce = [0; NONCE_LEN];
        rustix::rand::getrandom(&mut nonce, rustix::rand::GetRandomFlags::empty())
            .expect("the operating system gives randomness");
        let mut sealed = secret.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id), &mut sealed)
            .expect("a secret is shorter than the cipher's limit");
        base64_simd::STANDARD_NO_PAD.encode_to_string([&nonce[..], &sealed].concat())
    }

    /// Opens it again; none if it was sealed for another id or by another cluster.
    pub fn open(&self, id: &str, sealed: &str) -> Option<String> {
        let bytes = base64_simd::STANDARD_NO_PAD.decode_to_vec(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let secret = self.0.open_in_place(nonce, Aad::from(id), &mut sealed).ok()?;
        String::from_utf8(secret.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_id_and_cluster_only() {
        let vault = Vault::new("the cluster's key");
        let sealed = vault.seal("AKONE", "secret");
        assert_eq!(vault.open("AKONE", &sealed).as_deref(), Some("secret"));
        assert_ne!(vault.seal("AKONE", "secret"), sealed, "every seal has a nonce of its own");
        assert_eq!(vault.open("AKTWO", &sealed), None);
        assert_eq!(Vault::new("another cluster's key").open("AKONE", &sealed), None);
        assert_eq!(vault.open("AKONE", "nonsense"), None);
    }
}
