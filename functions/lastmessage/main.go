// Command lastmessage is the Lambda function that the table's stream triggers
// to keep each room's last message and the order of room lists.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.LastMessage) }
