// Several nodes, on real servers; without these there is no such flow.
import assert from 'node:assert/strict';
import { freshCluster, hasServers } from '../../../storefront/test/browser/cluster.js';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, noSideways } from './helpers.js';

const LAST = '{ shopPulses(seconds: 10) { at nodesHeard nodesRunning } }';

/** Seconds of a chart. */
const SECONDS = 300;

/** Whether a chart says of its last second that sums are too low. Nodes that had only begun were not heard at first, either. */
async function isDoubtful(page) {
  const marks = page.locator('[data-chart=orders] .doubtful');
  if ((await marks.count()) === 0) return false;
  const last = (await marks.getAttribute('d')).split('M').at(-1);
  return Number(last.split(' ')[0]) + last.split('h1').length - 1 === SECONDS;
}

const clustered = {
  'C7 names a node that was killed and says that sums are too low, until it runs again': async ({ another }) => {
    const cluster = freshCluster();
    const { shop, device, end } = await another({ settings: cluster.settings });
    try {
      const [, three] = await Promise.all([shop.node('two'), shop.node('three')]);
      const page = await (await device({ operator: true })).open('/console');
      const nodes = (count) => page.locator(`.pulse-as-of[data-nodes="${count}"]`);
      await nodes('3/3').waitFor();
      assert.equal(await page.locator('[data-alert]').count(), 0);

      await three.end('SIGKILL');
      const alert = page.locator('[data-alert=NODE_SILENT]');
      await alert.getByText('three', { exact: false }).waitFor();
      await nodes('2/3').getByText('sums are too low', { exact: false }).waitFor();
      await page.locator('[data-tile=arrivals] dd', { hasText: 'at least' }).waitFor();
      await until('the mark of the last second', () => isDoubtful(page));
      const { shopPulses } = await shop.ask(LAST, {}, shop.operator);
      const last = shopPulses.at(-1);
      assert.deepEqual([last.nodesHeard, last.nodesRunning], [2, 3]);
      await accessible(page, 'the page of now without a node');
      await noSideways(page, 'the page of now without a node');

      // What is said leads to the node itself.
      await alert.getByRole('link').click();
      const row = page.getByRole('row', { name: /^three/ });
      await row.getByText('Silent', { exact: true }).waitFor();
      await page.getByRole('row', { name: /^two/ }).getByText('Ready', { exact: true }).waitFor();

      await shop.node('three');
      await row.getByText('Ready', { exact: true }).waitFor();
      await page.getByRole('navigation').getByRole('link', { name: 'Now' }).click();
      await nodes('3/3').waitFor();
      await until('the mark to end', async () => !(await isDoubtful(page)));
      await until('no alert', async () => (await page.locator('[data-alert]').count()) === 0);
    } finally {
      await end();
      cluster.drop();
    }
  },
};

export const flows = hasServers ? clustered : {};
