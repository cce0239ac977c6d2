//! The person chooses for which account an app is entered.

use super::reply::{ACCOUNTS_SHOWN, ChooseAccount, Named, Reply, Step};
use super::session::Browser;
use super::visit::{Request, Visited};
use crate::{Fault, Place, Service};
use ::enter::account::Account;
use ::enter::context::ServiceContext;
use ::enter::entry::{Answers, Nonce};
use ::enter::ids::AccountId;
use store::{DbError, accounts, activations, pending_requests};

/// How many accounts of one person are looked at.
const MOST: i64 = 1000;

impl Service {
    /// The page that lists the accounts which this app may open for the person.
    pub(super) async fn choose_account(
        &self,
        request: Request,
        visited: Visited,
        search: &str,
        mut browser: Browser,
    ) -> Result<Reply, Fault> {
        let live = visited.live.ok_or_else(|| Fault::broken("nobody chooses an account"))?;
        let Some(nonce) = self.wait(&request, None, &mut browser).await? else {
            return self.over(&request.place, browser).await;
        };
        let (person, partner) = (live.person.id.clone(), live.partner.id.clone());
        let (app, open_to_all) = (request.app.id.clone(), request.app.open_to_all);
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let mut list: Vec<Account> = Vec::new();
                for account in accounts::of_person(tx, &person, MOST).await? {
                    let own = account.partner == partner && account.disabled.is_none();
                    if own && (open_to_all || activations::is_active(tx, &app, &account.id).await?) {
                        list.push(account);
                    }
                }
                Ok::<_, DbError>(list)
            })
        });
        let mut all = read.await?;
        let total = all.len();
        let wanted = search.trim().to_lowercase();
        all.retain(|account| {
            account.name.to_lowercase().contains(&wanted)
                || account.id.as_str().to_lowercase().contains(&wanted)
                || account.customer_identifier.as_ref().is_some_and(|id| id.to_lowercase().contains(&wanted))
        });
        all.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.id.cmp(&other.id)));
        all.truncate(ACCOUNTS_SHOWN);
        let choose = ChooseAccount {
            nonce,
            app: request.app.name.clone(),
            person: Named::of(&live.person),
            accounts: all.into_iter().map(|account| (account.id, account.name)).collect(),
            total,
            search: search.trim().to_owned(),
        };
        Ok(Reply { step: Step::ChooseAccount(choose), browser })
    }

    /// The same page for a search.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn search_accounts(
        &self,
        place: &Place,
        nonce: &Nonce,
        search: &str,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let (request, browser) = match Box::pin(self.answering(place, nonce, browser)).await? {
            Ok((_, request)) => *request,
            Err(reply) => return Ok(*reply),
        };
        let visited = self.visit(&request, &browser).await?;
        self.choose_account(request, visited, search, browser).await
    }

    /// The person has chosen. Whether the account is theirs and open to the app is decided as for every request.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn answer_account(
        &self,
        place: &Place,
        nonce: &Nonce,
        account: AccountId,
        browser: Browser,
    ) -> Result<Reply, Fault> {
        let (live, request) = match Box::pin(self.answering(place, nonce, browser)).await? {
            Ok(answering) => answering,
            Err(reply) => return Ok(*reply),
        };
        let (request, browser) = *request;
        let before = request.waiting.map(|waiting| waiting.answers.of(Some(&live.person.id)));
        let person = live.person.id;
        let answers = Answers {
            person: Some(person.clone()),
            context: Some(ServiceContext::Account(account)),
            consented: before.is_some_and(|before| before.consented),
        };
        let kept = nonce.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move { pending_requests::answer(tx, &kept, &person, &answers).await })
        });
        let _: bool = write.await.map_err(|error: DbError| Fault::from(error))?;
        Box::pin(self.go_on(place, nonce, browser)).await
    }
}
