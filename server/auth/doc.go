// Package auth answers one question: who is calling, and may they?
//
// People sign in with a password and get a server-side session behind a cookie; programs carry API tokens;
// agents sign their requests with their own Ed25519 key. Of every secret only a hash is stored. [Can] is the
// only place that decides what a role may do. docs/security.md tells the whole story.
package auth
