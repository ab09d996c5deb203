//! Names the build: a digest of every Rust source file, so that a run's name says what ran.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for name in ["layer", "market", "venue", "lab"] {
        let root = crates.join(name).join("src");
        println!("cargo:rerun-if-changed={}", root.display());
        collect(&root, &mut files);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().map_or(&[][..], |name| name.as_encoded_bytes()));
        hasher.update(&fs::read(&file).expect("a source file that was listed can be read"));
    }
    println!("cargo:rustc-env=SURGETANK_SOURCES={}", &hasher.finalize().to_hex()[..12]);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be listed").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
