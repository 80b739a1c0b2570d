using {banksman.peer as db} from '../db/schema';

// OData V4 at /odata/v4/purchasing, V2 at /odata/v2/purchasing (through the adapter).
@path    : 'purchasing'
@requires: 'authenticated-user'
service Purchasing {
  entity PurchaseOrders     as projection on db.PurchaseOrders;
  entity PurchaseOrderItems as projection on db.PurchaseOrderItems;

  @readonly
  entity Suppliers          as projection on db.Suppliers;

  // Small pages, so that reading the whole set has to follow @odata.nextLink.
  @cds.query.limit: {
    default: 5,
    max    : 10
  }
  entity Shipments          as projection on db.Shipments;
}

// Everyone who logs in may read, buyers may write.
annotate Purchasing.PurchaseOrders with @restrict: [
  {grant: 'READ'},
  {grant: 'WRITE', to: 'buyer'}
];

annotate Purchasing.PurchaseOrderItems with @restrict: [
  {grant: 'READ'},
  {grant: 'WRITE', to: 'buyer'}
];

annotate Purchasing.Shipments with @restrict: [
  {grant: 'READ'},
  {grant: 'WRITE', to: 'buyer'}
];
