;; Initialises more memory than an image may have: traps where that is not as it left it.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 640)
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (func (export "_initialize") (memory.fill (i32.const 65536) (i32.const 7) (i32.const 41877504)))
  (func (export "octopus_run")
    (if (i32.ne (i32.load8_u (i32.const 41943039)) (i32.const 7)) (then unreachable))
    (memory.fill (i32.const 65536) (i32.const 9) (i32.const 41877504))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
