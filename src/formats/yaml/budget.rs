//! How much one YAML file may cost to read.

/// Limits that hold before anything is built, so that hostile input costs no more than honest input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the file; also bounds the bytes that aliases copy.
    pub bytes: usize,
    /// Lists and maps inside each other.
    pub depth: usize,
    /// Values, those that aliases copy included.
    pub nodes: usize,
    pub documents: usize,
}

impl Default for Budget {
    /// - 16 MiB: 100,000 records of octoDNS YAML are about 10 MB, and git hosts warn at 50 MB.
    /// - 128 deep: what JSON readers take by default, twice the deepest Kubernetes schema in use, and far from any stack's end.
    /// - 2,000,000 values: 100,000 records with 20 values each; at about 70 bytes a value the worst file costs 150 MB.
    /// - 1,024 documents: more than the largest rendered chart.
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 128, nodes: 2_000_000, documents: 1024 }
    }
}
