;; Prints a response with 20,000 operations.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{\"status_code\":200,\"data\":[")
  (data (i32.const 64) "{\"type\":\"db\",\"name\":\"00000\",\"value\":0},")
  (data (i32.const 128) "{\"type\":\"db\",\"name\":\"last\",\"value\":0}]}")
  (func $print (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $i i32) (local $n i32) (local $at i32)
    (call $print (i32.const 16) (i32.const 27))
    (loop $again
      (local.set $n (local.get $i))
      (local.set $at (i32.const 89)) ;; the last digit of the name
      (loop $digits
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
        (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (br_if $digits (i32.ge_u (local.get $at) (i32.const 85))))
      (call $print (i32.const 64) (i32.const 39))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 20000))))
    (call $print (i32.const 128) (i32.const 39))))
