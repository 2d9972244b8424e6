// A sale: the product and the facts at once, the panel to buy with beside them.
import { useSignal } from '@preact/signals';
import SaleDoc from '@documents/Sale.graphql';
import { Fault } from '@kit/api';
import { WHOLE_PX } from '@kit/pictures';
import { Button, Empty, Icon, Loading, Picture, Skeleton } from '@kit/ui';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { f, insist, send } from '../app';
import { need, t } from '../i18n';
import type { Sale } from '../machine/facts';
import { methodsOf } from '../methods';
import { Failed, Heading } from '../page';
import { Prices } from '../prices';
import type { SaleModel } from '../purchase';
import type { Route } from '../router';

export default function SalePage({ route }: { route: Route }) {
  return route.page === 'sale' ? <One key={route.id} id={route.id} /> : null;
}

type Purchase = typeof import('../purchase');

function One({ id }: { id: string }) {
  const first = useMemo(() => send(SaleDoc, { id }), [id]);
  const early = useSignal<Sale | null | undefined>(undefined);
  const failed = useSignal<Fault | undefined>(undefined);
  const purchase = useSignal<Purchase | undefined>(undefined);
  const model = useSignal<SaleModel | undefined>(undefined);
  useEffect(() => {
    let gone = false;
    let made: SaleModel | undefined;
    first.then(
      ({ sale }) => (early.value = sale),
      (error: unknown) => (failed.value = error instanceof Fault ? error : new Fault('NETWORK', String(error))),
    );
    void insist(() => Promise.all([import('../purchase'), need('buy')])).then(([module]) => {
      if (gone) return;
      made = module.createSaleModel(id, first);
      purchase.value = module;
      model.value = made;
    });
    const back = (event: PageTransitionEvent) => event.persisted && made?.order.back();
    addEventListener('pageshow', back);
    return () => {
      gone = true;
      removeEventListener('pageshow', back);
      made?.dispose();
    };
  }, [first]);
  const held = model.value;
  const sale = held?.sale.value !== undefined ? held.sale.value : early.value;
  if (sale === null) {
    return (
      <>
        <Heading>{t('state.missing.title')}</Heading>
        <Empty title={t('state.missing.body')}>
          <Button href="/">{t('buy.allSales')}</Button>
        </Empty>
      </>
    );
  }
  if (!sale) {
    const fault = held ? held.failed.value : failed.value;
    if (fault && held) return <Failed fault={fault} again={held.look} />;
    return (
      <Loading label={t('state.loading.title')} slow={t('home.slow')}>
        <p>
          <span class="back">{'\u00a0'}</span>
        </p>
        <div class="sale">
          <Skeleton kind="picture-shape" />
          <Skeleton kind="panel-shape" />
        </div>
      </Loading>
    );
  }
  return <Shown sale={sale} panel={purchase.value && held && <purchase.value.PurchasePanel model={held} />} />;
}

/** What the picture shows: in the shop's words, or else of which product it is. */
const altOf = (product: Sale['product']) => product?.image?.altText || (product ? t('sale.picture', { name: product.name }) : '');

function Shown({ sale, panel }: { sale: Sale; panel: ComponentChildren }) {
  const { product } = sale;
  const opens = f.value.minute(Date.parse(sale.startsAt));
  return (
    <>
      <p>
        <a class="back" href={`/?session=${encodeURIComponent(sale.session.id)}`}>
          <Icon name="back" /> {t('sale.back', { time: opens })}
        </a>
      </p>
      <div class="sale">
        <div class="sale-picture">
          <Picture src={product?.imageUrl} image={product?.image} size={WHOLE_PX} alt={altOf(product)} first />
        </div>
        <div class="sale-main">
          <Heading>
            <bdi>{product?.name ?? t('home.noProduct')}</bdi>
          </Heading>
          {product?.title && (
            <p class="sale-title">
              <bdi>{product.title}</bdi>
            </p>
          )}
          <p class="sale-prices">
            <Prices price={sale.price} was={sale.originalPrice} />
            {methodsOf(sale).points && (
              <span class="sale-points">
                {t('pay.or', { price: '', points: t('pay.points.amount', { points: f.value.number(sale.pointsPrice ?? 0) }) })}
              </span>
            )}
          </p>
          {panel ?? <Skeleton kind="panel-shape" />}
        </div>
        <div class="sale-about">
          {product?.description && (
            <p class="description">
              <bdi>{product.description}</bdi>
            </p>
          )}
          <Know sale={sale} />
        </div>
      </div>
    </>
  );
}

function Know({ sale }: { sale: Sale }) {
  const { alipay, points } = methodsOf(sale);
  const how = alipay && points ? 'points' : points ? 'onlyPoints' : 'alipay';
  return (
    <section class="know">
      <h2>{t('sale.know')}</h2>
      <ul>
        <li>{t('sale.know.pay', { span: f.value.span(sale.payWithinSeconds * 1000) })}</li>
        <li>{t(`sale.know.${how}`)}</li>
        <li>{t('sale.know.refund')}</li>
        <li>{t('sale.know.late')}</li>
        <li>{t('sale.know.order')}</li>
      </ul>
    </section>
  );
}
