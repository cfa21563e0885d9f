//! Small files that hold credentials: bounded, regular, and never quoted in a message. These
//! functions block.

use std::io::Read as _;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Largest token, CA or kubeconfig file that is read, in bytes.
pub(super) const CREDENTIAL_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a whole small file, or says in words why not.
pub(super) fn read_small(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let wrong = |error: std::io::Error| format!("{what} file {shown} cannot be read: {error}");
    // A pipe could be read once only, and a device has no end.
    if !std::fs::metadata(path).map_err(wrong)?.is_file() {
        return Err(format!(
            "{what} file {shown} is no regular file; give one that can be read again"
        ));
    }
    let file = std::fs::File::open(path).map_err(wrong)?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(CREDENTIAL_BYTES_MAX + 1);
    let count = bounded.read_to_end(&mut bytes).map_err(wrong)?;
    if u64::try_from(count).is_ok_and(|count| count <= CREDENTIAL_BYTES_MAX) {
        Ok(bytes)
    } else {
        Err(format!(
            "{what} file {shown} has more than {CREDENTIAL_BYTES_MAX} bytes; give a smaller one"
        ))
    }
}

/// kube takes an empty token for an anonymous caller; that would hide a broken mount.
pub(super) fn check_token(path: &Path) -> Result<(), String> {
    let token = read_small(path, "token")?;
    let shown = path.display();
    if token.iter().all(u8::is_ascii_whitespace) {
        return Err(format!("token file {shown} is empty; write a bearer token"));
    }
    // kube puts the bytes into a header as they are.
    if token
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err(format!(
            "token file {shown} holds a space or a line end; write nothing but the token"
        ));
    }
    Ok(())
}

/// The certificates of a PEM file, as DER.
pub(super) fn read_ca(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let shown = path.display();
    let bytes = read_small(path, "CA")?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    // The library quotes the line; whoever confuses files has a key or a token in it.
    let certificates = certificates.map_err(|_| {
        format!("CA file {shown} holds a broken PEM block; give the CA in PEM form")
    })?;
    if certificates.is_empty() {
        return Err(format!(
            "CA file {shown} holds no certificate; give the CA in PEM form"
        ));
    }
    Ok(certificates
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}
