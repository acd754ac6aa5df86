// Creates, reads, queries, updates and deletes with each tool, in transactions too, and reads the
// stream of the table, against the endpoint in DYNAMO_ENDPOINT. The first fault ends it.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {DynamoDB} from '@aws-sdk/client-dynamodb';
import {DynamoDBStreams} from '@aws-sdk/client-dynamodb-streams';
import {
  DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand, TransactWriteCommand, paginateScan,
} from '@aws-sdk/lib-dynamodb';
import {createServer} from 'dynamodb-admin';
import {Model as OneTableModel, Table as OneTable} from 'dynamodb-onetable';
import {Dynamo} from 'dynamodb-onetable/Dynamo';
import streamReadable from 'dynamodb-streams-readable';
import {
  DeleteItemCommand, Entity as ToolboxEntity, GetItemCommand, PutItemCommand, QueryCommand as ToolboxQuery,
  Table as ToolboxTable, UpdateItemCommand, executeTransactWrite, item, number, string, $add,
} from 'dynamodb-toolbox';
import {PutTransaction} from 'dynamodb-toolbox/entity/actions/transactPut';

import dynamoose from 'dynamoose';
import {Entity, Service} from 'electrodb';

const config = {
  endpoint: process.env.DYNAMO_ENDPOINT, region: 'us-east-1',
  credentials: {accessKeyId: 'any', secretAccessKey: 'any'},
};
const client = new DynamoDB(config);
const documents = DynamoDBDocumentClient.from(client);

const definition = (name) => ({AttributeName: name, AttributeType: 'S'});
const keys = (hash, range) => [{AttributeName: hash, KeyType: 'HASH'}, {AttributeName: range, KeyType: 'RANGE'}];

/** Creates a table with the keys pk and sk, a global and a local index, and a stream. */
async function createTable(TableName) {
  const {TableDescription} = await client.createTable({
    TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: keys('pk', 'sk'),
    AttributeDefinitions: ['pk', 'sk', 'gsi1pk', 'gsi1sk', 'ls1sk'].map(definition),
    GlobalSecondaryIndexes: [{IndexName: 'gsi1', KeySchema: keys('gsi1pk', 'gsi1sk'), Projection: {ProjectionType: 'ALL'}}],
    LocalSecondaryIndexes: [{IndexName: 'ls1', KeySchema: keys('pk', 'ls1sk'), Projection: {ProjectionType: 'KEYS_ONLY'}}],
    StreamSpecification: {StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES'},
  });
  return TableDescription;
}

const tools = {
  async 'AWS SDK with lib-dynamodb'() {
    const TableName = 'documents';
    await createTable(TableName);
    await documents.send(new PutCommand({
      TableName, Item: {pk: 'a', sk: '1', ls1sk: 'x', list: [1, 'two', null], set: new Set(['p', 'q']), nested: {deep: true}},
    }));
    await documents.send(new TransactWriteCommand({TransactItems: [
      {Put: {TableName, Item: {pk: 'a', sk: '2'}, ConditionExpression: 'attribute_not_exists(pk)'}},
      {Update: {TableName, Key: {pk: 'a', sk: '1'}, UpdateExpression: 'ADD n :one', ExpressionAttributeValues: {':one': 1}}},
    ]}));
    const {Item} = await documents.send(new GetCommand({TableName, Key: {pk: 'a', sk: '1'}}));
    assert.deepEqual(Item, {
      pk: 'a', sk: '1', ls1sk: 'x', list: [1, 'two', null], set: new Set(['p', 'q']), nested: {deep: true}, n: 1,
    });
    const query = {TableName, KeyConditionExpression: 'pk = :a', ExpressionAttributeValues: {':a': 'a'}};
    assert.equal((await documents.send(new QueryCommand(query))).Count, 2);
    assert.equal((await documents.send(new QueryCommand({...query, IndexName: 'ls1', ProjectionExpression: 'n'}))).Items[0].n, 1);
    let scanned = 0;
    for await (const page of paginateScan({client: documents, pageSize: 1}, {TableName})) scanned += page.Count;
    assert.equal(scanned, 2);
    await assert.rejects(
      documents.send(new TransactWriteCommand({TransactItems: [
        {ConditionCheck: {TableName, Key: {pk: 'a', sk: '1'}, ConditionExpression: 'n = :two', ExpressionAttributeValues: {':two': 2}}},
      ]})),
      (error) => error.name === 'TransactionCanceledException' && error.CancellationReasons[0].Code === 'ConditionalCheckFailed');
  },

  async electrodb() {
    await createTable('electro');
    const make = (entity) => new Entity({
      model: {entity, version: '1', service: 'chat'},
      attributes: {room: {type: 'string', required: true}, id: {type: 'string', required: true}, author: {type: 'string'}, likes: {type: 'number', default: 0}},
      indexes: {
        byRoom: {pk: {field: 'pk', composite: ['room']}, sk: {field: 'sk', composite: ['id']}},
        byAuthor: {index: 'gsi1', pk: {field: 'gsi1pk', composite: ['author']}, sk: {field: 'gsi1sk', composite: ['id']}},
      },
    }, {client, table: 'electro'});
    const message = make('message');
    const service = new Service({message});
    await message.put([1, 2, 3].map((n) => ({room: 'r', id: `m${n}`, author: 'ada'}))).go();
    await message.patch({room: 'r', id: 'm1'}).add({likes: 2}).go();
    assert.equal((await message.get({room: 'r', id: 'm1'}).go()).data.likes, 2);
    assert.equal((await message.query.byRoom({room: 'r'}).gte({id: 'm2'}).go()).data.length, 2);
    assert.equal((await message.query.byAuthor({author: 'ada'}).where(({likes}, {gt}) => gt(likes, 1)).go()).data.length, 1);
    await assert.rejects(message.create({room: 'r', id: 'm1', author: 'bob'}).go());
    const {canceled} = await service.transaction.write(({message}) => [
      message.delete({room: 'r', id: 'm2'}).commit(), message.create({room: 'r', id: 'm4', author: 'bob'}).commit(),
    ]).go();
    assert.equal(canceled, false);
    assert.equal((await message.query.byRoom({room: 'r'}).go()).data.length, 3);
  },

  async 'dynamodb-toolbox'() {
    await createTable('toolbox');
    const table = new ToolboxTable({
      documentClient: documents, name: 'toolbox', partitionKey: {name: 'pk', type: 'string'}, sortKey: {name: 'sk', type: 'string'},
    });
    const user = new ToolboxEntity({
      name: 'user', table, schema: item({pk: string().key(), sk: string().key(), name: string(), visits: number().default(0)}),
    });
    await user.build(PutItemCommand).item({pk: 'u', sk: '1', name: 'ada'}).send();
    await user.build(UpdateItemCommand).item({pk: 'u', sk: '1', visits: $add(3)}).send();
    assert.equal((await user.build(GetItemCommand).key({pk: 'u', sk: '1'}).send()).Item.visits, 3);
    await executeTransactWrite(user.build(PutTransaction).item({pk: 'u', sk: '2', name: 'bob'}), user.build(PutTransaction).item({pk: 'u', sk: '3', name: 'eve'}));
    const found = await table.build(ToolboxQuery).entities(user).query({partition: 'u', range: {gt: '1'}}).send();
    assert.equal(found.Items.length, 2);
    await user.build(DeleteItemCommand).key({pk: 'u', sk: '1'}).send();
    assert.equal((await user.build(GetItemCommand).key({pk: 'u', sk: '1'}).send()).Item, undefined);
  },

  async dynamoose() {
    dynamoose.aws.ddb.set(client);
    const schema = {room: {type: String, hashKey: true}, id: {type: Number, rangeKey: true}, text: String, tags: {type: Set, schema: [String]}};
    const first = dynamoose.model('Message', new dynamoose.Schema(schema));
    await new dynamoose.Table('moose', [first], {create: true, initialize: false, throughput: {read: 1, write: 1}}).initialize();
    await first.create({room: 'r', id: 1, text: 'hello', tags: ['a']});
    // the same table with an index, changed throughput, tags: UpdateTable, tagging and waiting
    const indexed = dynamoose.model('Message', new dynamoose.Schema({...schema, text: {type: String, index: {name: 'text', type: 'global'}}}));
    await new dynamoose.Table('moose', [indexed], {
      create: true, update: true, initialize: false, throughput: {read: 5, write: 5}, tags: {team: 'chat'}, waitForActive: {enabled: true, check: {frequency: 50, timeout: 5000}},
    }).initialize();
    await indexed.batchPut([{room: 'r', id: 2, text: 'hello'}, {room: 'r', id: 3, text: 'bye'}]);
    assert.equal((await indexed.query('room').eq('r').where('id').gt(1).exec()).count, 2);
    assert.equal((await indexed.query('text').eq('hello').using('text').exec()).count, 2);
    await indexed.update({room: 'r', id: 1}, {$SET: {text: 'changed'}, $ADD: {tags: ['b']}});
    assert.equal((await indexed.get({room: 'r', id: 1})).text, 'changed');
    await dynamoose.transaction([
      indexed.transaction.create({room: 'r', id: 4, text: 'x'}), indexed.transaction.delete({room: 'r', id: 3}),
    ]);
    assert.equal((await indexed.scan('text').contains('e').exec()).count, 2);
    const {Table} = await client.describeTable({TableName: 'moose'});
    assert.equal(Table.GlobalSecondaryIndexes.length, 1);
    assert.equal(Table.ProvisionedThroughput.ReadCapacityUnits, 5);
    assert.deepEqual((await client.listTagsOfResource({ResourceArn: Table.TableArn})).Tags, [{Key: 'team', Value: 'chat'}]);
  },

  async 'dynamodb-onetable'() {
    const table = new OneTable({
      client: new Dynamo({client}), name: 'onetable', partial: true,
      schema: {
        format: 'onetable:1.1.0', version: '0.0.1',
        indexes: {primary: {hash: 'pk', sort: 'sk'}, gsi1: {hash: 'gsi1pk', sort: 'gsi1sk'}, ls1: {sort: 'ls1sk', type: 'local'}},
        models: {User: {
          pk: {type: String, value: 'user:${org}'}, sk: {type: String, value: 'user:${email}'}, gsi1pk: {type: String, value: 'name:${name}'},
          gsi1sk: {type: String, value: 'user:'}, ls1sk: {type: String}, org: {type: String, required: true},
          email: {type: String, required: true, unique: true}, name: {type: String}, age: {type: Number},
        }},
        params: {isoDates: true},
      },
    });
    await table.createTable();
    assert.equal(await table.exists(), true);
    const User = table.getModel('User');
    assert.ok(User instanceof OneTableModel);
    await User.create({org: 'o', email: 'a@b', name: 'ada', age: 1, ls1sk: 'ada'});
    await assert.rejects(User.create({org: 'o', email: 'a@b', name: 'bob'}));
    await User.update({org: 'o', email: 'a@b'}, {add: {age: 2}});
    assert.equal((await User.get({org: 'o', email: 'a@b'})).age, 3);
    assert.equal((await User.find({name: 'ada'}, {index: 'gsi1'})).length, 1);
    assert.equal((await User.find({org: 'o', ls1sk: {begins: 'a'}}, {index: 'ls1'})).length, 1);
    const transaction = {};
    await User.create({org: 'o', email: 'c@d', name: 'eve'}, {transaction});
    await User.update({org: 'o', email: 'a@b', age: 9}, {transaction});
    await table.transact('write', transaction);
    assert.equal((await User.find({org: 'o'})).length, 2);
    await User.remove({org: 'o', email: 'c@d'});
    assert.equal((await User.scan()).length, 1);
  },

  async 'dynamodb-streams-readable'() {
    const {LatestStreamArn} = await createTable('streamed');
    const streams = new DynamoDBStreams(config);
    const {StreamDescription} = await streams.describeStream({StreamArn: LatestStreamArn});
    for (const n of [1, 2, 3]) await documents.send(new PutCommand({TableName: 'streamed', Item: {pk: 'p', sk: 's', n}}));
    const seen = [];
    const readers = StreamDescription.Shards.map(({ShardId}) => streamReadable(streams, LatestStreamArn, {shardId: ShardId, readInterval: 20}));
    await new Promise((resolve, reject) => {
      for (const reader of readers) {
        reader.on('error', reject);
        reader.on('data', (records) => {
          seen.push(...records.map((r) => `${r.eventName} ${r.dynamodb.NewImage.n.N}`));
          if (seen.length >= 3) resolve();
        });
      }
    });
    await Promise.all(readers.map((reader) => { const end = once(reader, 'end'); reader.close(); reader.resume(); return Promise.race([end, once(reader, 'close')]); }));
    assert.deepEqual(seen, ['INSERT 1', 'MODIFY 2', 'MODIFY 3']);
  },

  async 'dynamodb-admin'() {
    const server = createServer({dynamoDbClient: client}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const base = `http://127.0.0.1:${server.address().port}`;
    for (const [path, text] of [['/', 'documents'], ['/tables/documents', 'documents'], ['/tables/documents/meta', 'gsi1'], ['/tables/documents/items?operationType=scan', 'nested']]) {
      const response = await fetch(base + path);
      assert.equal(response.status, 200, path);
      assert.ok((await response.text()).includes(text), `${path} shows ${text}`);
    }
    server.close();
    server.closeAllConnections();
  },
};

for (const [name, run] of Object.entries(tools)) {
  await run();
  console.log(`${name}: passed`);
}
process.exit(0);
