;; noop does nothing but answer: the smallest plugin there can be, and what the
;; numbers of this project are measured with. Rebuild noop.wasm after a change:
;;
;;   wat2wasm noop.wat -o noop.wasm
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 1)
  ;; One iovec at 0: the address and the length of the response.
  (data (i32.const 0) "\10\00\00\00\28\00\00\00")
  (data (i32.const 16) "{\"status_code\":200,\"message\":\"Nothing.\"}")
  (func (export "_start")
    ;; fd_write(stdout, iovecs, 1, where the count goes)
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
