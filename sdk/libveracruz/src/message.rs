//! What a program says to its author, who reads the last of it where the policy says `debug`.
//!
//! Nothing is said unless the program is built for that, by `veracruz-sdk build --debug`.

/// Says something to the author; of all that is said the last 4096 bytes are kept.
#[cfg(not(veracruz_debug))]
pub fn say(_: &str) {}

#[cfg(veracruz_debug)]
pub use kept::say;

/// Has a program with `std` say what it panics about; one without does so by itself.
#[macro_export]
macro_rules! say_panics {
    () => {
        #[cfg(veracruz_debug)]
        std::panic::set_hook(std::boxed::Box::new(|panic| {
            $crate::say(&std::string::ToString::to_string(panic))
        }));
    };
}

#[cfg(veracruz_debug)]
mod kept {
    use core::cell::UnsafeCell;

    const MOST: usize = 4096;

    /// Where the host looks when the program has ended: where the text is, and how long.
    #[repr(C)]
    pub struct Message {
        text: UnsafeCell<*const u8>,
        size: UnsafeCell<u32>,
        said: UnsafeCell<[u8; MOST]>,
    }

    // A program has one thread.
    unsafe impl Sync for Message {}

    #[no_mangle]
    #[used]
    #[allow(non_upper_case_globals)]
    pub static veracruz_message: Message = Message {
        text: UnsafeCell::new(core::ptr::null()),
        size: UnsafeCell::new(0),
        said: UnsafeCell::new([0; MOST]),
    };

    pub fn say(text: &str) {
        let text = &text.as_bytes()[text.len().saturating_sub(MOST)..];
        // One thread, and nothing here is lent to anybody.
        let (at, size, said) = unsafe {
            (
                &mut *veracruz_message.text.get(),
                &mut *veracruz_message.size.get(),
                &mut *veracruz_message.said.get(),
            )
        };
        let mut kept = *size as usize;
        let lost = (kept + text.len()).saturating_sub(MOST);
        said.copy_within(lost..kept, 0);
        kept -= lost;
        said[kept..kept + text.len()].copy_from_slice(text);
        *size = (kept + text.len()) as u32;
        *at = said.as_ptr();
    }
}
