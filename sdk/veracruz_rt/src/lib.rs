//! The runtime of a program without `std`: where memory comes from and what a panic does. Programs
//! with `std` have that from there, and take `entry!` from `libveracruz`.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! extern crate alloc;
//! veracruz_rt::entry!(program);
//!
//! fn program() -> libveracruz::Veracruz { Ok(()) }
//! ```
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]
// Before Rust 1.68 a program without `std` had to say itself what happens when memory runs out.
#![cfg_attr(rust_before_1_68, feature(alloc_error_handler))]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::UnsafeCell;
use core::panic::PanicInfo;

pub use libveracruz;
pub use libveracruz::{entry, Termination};

/// A panic ends the program by a trap; under `debug` its owner is told which functions were on the
/// stack, by their names if the module still has them, and what the panic was, if the program is
/// built to say so.
#[panic_handler]
#[cfg(not(veracruz_debug))]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}

#[panic_handler]
#[cfg(veracruz_debug)]
fn panic(panic: &PanicInfo<'_>) -> ! {
    let _ = core::fmt::Write::write_fmt(&mut Said, format_args!("{}\n", panic));
    wasm32::unreachable()
}

#[cfg(veracruz_debug)]
struct Said;

#[cfg(veracruz_debug)]
impl core::fmt::Write for Said {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        libveracruz::say(text);
        Ok(())
    }
}

#[cfg(all(rust_before_1_68, not(veracruz_debug)))]
#[alloc_error_handler]
fn out_of_memory(_: Layout) -> ! {
    wasm32::unreachable()
}

const PAGE_BYTES: usize = 64 * 1024;
/// As much as the host grants at least at once, so that memory does not grow page by page.
const LEAST_PAGES: usize = 16;
const CLASSES: usize = 32;

/// Memory in blocks of powers of two, each kept for its size when it is given back.
///
/// A program runs once, in one thread, and its memory is gone with it: what counts is that a
/// vector that grows finds the blocks of its earlier sizes used again.
struct Blocks {
    state: UnsafeCell<State>,
}

struct State {
    free: [usize; CLASSES],
    next: usize,
    end: usize,
}

// A program has one thread.
unsafe impl Sync for Blocks {}

#[global_allocator]
static BLOCKS: Blocks = Blocks {
    state: UnsafeCell::new(State { free: [0; CLASSES], next: 0, end: 0 }),
};

fn class_of(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(16);
    size.next_power_of_two().trailing_zeros() as usize
}

unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let state = unsafe { &mut *self.state.get() };
        let class = class_of(layout);
        if class >= CLASSES {
            return core::ptr::null_mut();
        }
        let found = state.free[class];
        if found != 0 {
            state.free[class] = unsafe { *(found as *const usize) };
            return found as *mut u8;
        }
        state.carve(1 << class, layout.align())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let state = unsafe { &mut *self.state.get() };
        let class = class_of(layout);
        unsafe { *(block as *mut usize) = state.free[class] };
        state.free[class] = block as usize;
    }
}

impl State {
    /// A new block from the end of what is in use, or of new pages.
    fn carve(&mut self, size: usize, align: usize) -> *mut u8 {
        let align = align.max(16);
        loop {
            let start = (self.next + align - 1) & !(align - 1);
            if self.next != 0 && start + size <= self.end {
                self.next = start + size;
                return start as *mut u8;
            }
            if !self.grow(size + align) {
                return core::ptr::null_mut();
            }
        }
    }

    fn grow(&mut self, size: usize) -> bool {
        let needed = (size + PAGE_BYTES - 1) / PAGE_BYTES;
        for pages in [needed.max(LEAST_PAGES), needed] {
            let before = wasm32::memory_grow(0, pages);
            if before != usize::MAX {
                if before * PAGE_BYTES != self.end {
                    self.next = before * PAGE_BYTES;
                }
                self.end = (before + pages) * PAGE_BYTES;
                return true;
            }
        }
        false
    }
}

// At the end: lines above that move would change the bytes of programs, whose panics name them.
#[cfg(all(rust_before_1_68, veracruz_debug))]
#[alloc_error_handler]
fn out_of_memory(layout: Layout) -> ! {
    let _ = core::fmt::Write::write_fmt(
        &mut Said,
        format_args!(
            "out of memory: {} bytes were asked for, memory has {} and may not grow by as many\n",
            layout.size(),
            wasm32::memory_size(0) * PAGE_BYTES
        ),
    );
    wasm32::unreachable()
}
