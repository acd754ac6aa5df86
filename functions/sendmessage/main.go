// Command sendmessage is the Lambda function behind the route sendMessage: it
// stores a message and answers with an ack.
package main

import "github.com/streamroom/streamroom/functions"

func main() { functions.Start(functions.SendMessage) }
