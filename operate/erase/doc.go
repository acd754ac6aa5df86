// Package erase removes a user from a Streamroom. Their messages become tombstones that
// name no one; everything else of theirs goes, and what others' items say of them.
//
// # Guarantee
//
// After a run that ends without an error, and without anything left, no item of the table
// and no file of a message names the user or has what they wrote, except what a run counts
// as kept. That holds if the user can't sign in any more: a run doesn't keep them out.
//
// # How
//
//  1. The user's own partition: connections end, and rooms are left, so that others notice
//     at once what they can notice.
//  2. A scan of the whole table. Keys lead from a user to their rooms, but not to rooms
//     that they left, nor to mentions, quotes and reactions; a scan needs no index.
//
// Each kind of item has a handler, and a test fails for a kind without one. What no handler
// takes is searched for the user's id, and reported as left if it has it.
//
// Every write is conditional on what was read and makes the item one that no longer
// matches. So a run that was interrupted is started again, and does what is left; another
// run finds nothing.
//
// # Limits
//
// What the user wrote about others and what others wrote about the user is theirs who wrote
// it: the user's goes, and a text of another one that has the user's name stays.
package erase
