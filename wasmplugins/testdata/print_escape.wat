;; Wants a file written beside its own folder.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00K\00\00\00{\22status_code\22:200,\22data\22:[{\22type\22:\22file\22,\22name\22:\22../escape\22,\22value\22:\22x\22}]}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 91)))))
