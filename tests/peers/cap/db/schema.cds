namespace banksman.peer;

using {managed} from '@sap/cds/common';

entity PurchaseOrders : managed {
  key id           : String(10);
      supplier     : String(10) @mandatory;
      plant        : String(4) @mandatory;
      @assert.range
      status       : String(6) enum {
        open;
        closed;
      } default 'open';
      currency     : String(3) @mandatory;
      netAmount    : Decimal(15, 2);
      deliveryDate : Date;
      note         : String(500);
      vendor       : Association to one Suppliers
                       on vendor.id = supplier;
      items        : Composition of many PurchaseOrderItems
                       on items.order = id;
}

// The server checks If-Match only when the annotation is on the element, not on the entity.
annotate PurchaseOrders with {
  modifiedAt @odata.etag;
};

entity PurchaseOrderItems {
  key order        : String(10);
  key pos          : String(5);
      material     : String(40) @mandatory;
      quantity     : Decimal(13, 3) @mandatory  @assert.range: [(0), _];
      unit         : String(3) @mandatory;
      deliveryDate : Date;
      price        : Decimal(15, 2);
      parent       : Association to one PurchaseOrders
                       on parent.id = order;
}

entity Suppliers {
  key id      : String(10);
      name    : String(80) @mandatory;
      city    : String(60);
      country : String(2);
      email   : String(120);
      orders  : Association to many PurchaseOrders
                  on orders.supplier = id;
}

entity Shipments {
  key id             : String(12);
      order          : String(10) @mandatory;
      pos            : String(5);
      carrier        : String(20);
      trackingNumber : String(30);
      @assert.range
      status         : String(10) enum {
        planned;
        moving;
        delayed;
        delivered;
      };
      plannedArrival : Date;
      expectedArrival: Date;
      purchaseOrder  : Association to one PurchaseOrders
                         on purchaseOrder.id = order;
}
