;; Prints, as bytes, what a guest can find different each time: the clock, the
;; monotonic clock, 16 random bytes, and the clock after sleeping for an hour.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 256)))
    (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 264)))
    (drop (call $random (i32.const 272) (i32.const 16)))
    ;; a subscription: user data 8, tag 1, clock id 4 at 16, timeout at 24
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 288)))
    (i32.store (i32.const 160) (i32.const 256))
    (i32.store (i32.const 164) (i32.const 40))
    (drop (call $fd_write (i32.const 1) (i32.const 160) (i32.const 1) (i32.const 168)))))
