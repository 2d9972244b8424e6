// Shoppers on several nodes of one shop, on real servers; without these there is no such flow.
import assert from 'node:assert/strict';
import { freshCluster, hasServers } from './cluster.js';
import { buyButton, reaches } from './helpers.js';

const clustered = {
  'S29 shows on each of three nodes what happens on another one': async ({ another }) => {
    const cluster = freshCluster();
    const { shop, device, end } = await another({ settings: cluster.settings });
    try {
      const others = await Promise.all([shop.node('two'), shop.node('three')]);
      const [sale, buyer] = [await shop.sale({ stock: 2 }), await shop.shopper()];
      // The same shopper on two of them, and somebody else on the third.
      const [one, two, three] = await Promise.all(
        [
          { shopper: buyer },
          { shopper: buyer, baseURL: others[0].base },
          { shopper: await shop.shopper(), baseURL: others[1].base },
        ].map(async (options) => (await device(options)).open(sale.path)),
      );
      const pages = [one, two, three];
      await Promise.all(pages.map((page) => reaches(page, 'open')));
      await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: sale.id });
      await Promise.all(pages.map((page) => reaches(page, 'paused')));
      await shop.act('saleResume', 'SaleResumeInput', 'sale', { saleId: sale.id });
      await Promise.all(pages.map((page) => reaches(page, 'open')));
      await buyButton(two).click();
      await reaches(two, 'won');
      await three.getByText('1 of 2 left', { exact: false }).waitFor();
      await buyButton(three).click();
      await reaches(three, 'won');
      // The order that was made on another node is this shopper's here, too.
      await one.goto('/orders');
      await one.getByText('To be paid').first().waitFor();
      assert.equal((await shop.orders(buyer)).length, 1);
    } finally {
      await end();
      cluster.drop();
    }
  },
};

export const flows = hasServers ? clustered : {};
