//! Tells the compiler what the interpreter is like, and the linker where libpython is, so that the binary and the tests find
//! it without LD_LIBRARY_PATH.

fn main() {
    println!("cargo:rerun-if-env-changed=PYO3_PYTHON");
    // `Py_GIL_DISABLED` among them.
    pyo3_build_config::use_pyo3_cfgs();
    // An extension module is loaded by a Python that has its own library already.
    if std::env::var_os("CARGO_FEATURE_EXTENSION_MODULE").is_some() {
        return;
    }
    if let Some(directory) = pyo3_build_config::get().lib_dir() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{directory}");
    }
}
