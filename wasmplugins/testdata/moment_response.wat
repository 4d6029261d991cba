;; Answers with a status of 200 and a result of two numbers that are different
;; each time: 31 bits of the clock, and of random bytes.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 512) "{\"status_code\":200,\"result\":[1000000000,1000000000]}")
  ;; writes the last nine digits of n, the last of them at $at
  (func $digits (param $at i32) (param $n i64) (local $left i32)
    (local.set $left (i32.const 9))
    (loop $again
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  (func (export "_start")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 256)))
    (drop (call $random (i32.const 264) (i32.const 8)))
    (call $digits (i32.const 550) (i64.div_u (i64.load (i32.const 256)) (i64.const 1000000000)))
    (call $digits (i32.const 561) (i64.load (i32.const 264)))
    (i32.store (i32.const 160) (i32.const 512))
    (i32.store (i32.const 164) (i32.const 52))
    (drop (call $fd_write (i32.const 1) (i32.const 160) (i32.const 1) (i32.const 168)))))
