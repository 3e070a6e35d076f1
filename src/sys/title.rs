//! The title that `ps` shows.

use std::fs;

/// Sets the process title, cut to the room that the original arguments had; the short name (`comm`) too.
///
/// Works by writing over the argument strings that the kernel shows as `/proc/PID/cmdline`. Where their place cannot be
/// found, nothing happens: a title is a courtesy.
pub fn set_title(title: &str) {
    if let Ok(name) = std::ffi::CString::new(title.as_bytes().get(..15).unwrap_or(title.as_bytes())) {
        // SAFETY: PR_SET_NAME reads at most 16 bytes of a string that is NUL-terminated.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
    let Some((start, end)) = argument_area() else { return };
    let area = end - start;
    let title = &title.as_bytes()[..title.len().min(area - 1)];
    let start = start as *mut u8;
    // SAFETY: the area is the argument strings of this process, on its own stack, writable and `area` bytes long. The
    // interpreter copied them at start, so nobody reads them any more but the kernel.
    unsafe { std::ptr::write_bytes(start, 0, area) };
    // SAFETY: as above; `title` is shorter than the area, so the last byte stays NUL and the kernel stops there.
    unsafe { std::ptr::copy_nonoverlapping(title.as_ptr(), start, title.len()) };
}

/// Where the argument strings begin and end, from fields 48 and 49 of `/proc/self/stat`. Source: proc_pid_stat(5).
fn argument_area() -> Option<(usize, usize)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in field 2 may hold anything, so count from its closing parenthesis; the next field is number 3.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(48 - 3);
    let start = fields.next()?.parse().ok()?;
    let end = fields.next()?.parse().ok()?;
    (start != 0 && end > start + 1).then_some((start, end))
}
